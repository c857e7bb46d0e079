"""The threads of skills: a slot is free as soon as its result is known."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from parleyd.skills.workers import Abandoned, Busy, Workers


@pytest.fixture
def _impatient() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("error", [None, ValueError, SystemExit])
def test_result_means_a_free_slot(error: type[BaseException] | None) -> None:
    def work() -> int:
        if error is not None:
            raise error("x")
        return 1

    async def life() -> None:
        workers = Workers(1)
        for _ in range(500):
            if error is None:
                assert await workers.run(work, 10.0) == 1
            else:
                with pytest.raises((ValueError, RuntimeError), match="x"):
                    await workers.run(work, 10.0)

    asyncio.run(life())


def test_no_slot_is_taken_when_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def life() -> None:
        workers = Workers(1)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", _refuse)
            for _ in range(3):
                with pytest.raises(Busy):
                    await workers.run(lambda: 1, 1.0)
        assert await workers.run(lambda: 1, 10.0) == 1

    asyncio.run(life())


def _refuse(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def spins(seen: list[BaseException]) -> None:
    try:
        while True:
            pass
    except BaseException as error:
        seen.append(error)
        raise


def waits(seen: list[BaseException]) -> None:
    threading.Event().wait(0.5)


@pytest.mark.parametrize("how", [spins, waits])
def test_abandoned_function_frees_its_slot(
    how: Callable[[list[BaseException]], None],
) -> None:
    seen: list[BaseException] = []

    async def life() -> None:
        workers = Workers(1)
        with pytest.raises(TimeoutError):
            await workers.run(lambda: how(seen), 0.1, abandon=True)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await workers.run(lambda: 1, 5.0) == 1
                    return
                except Busy:
                    await asyncio.sleep(0.01)

    asyncio.run(life())
    assert all(isinstance(error, Abandoned) for error in seen)


def test_late_skill_is_not_interrupted() -> None:
    """It may be in the middle of its work: only its result is dropped."""
    done = threading.Event()

    def late() -> None:
        threading.Event().wait(0.3)
        done.set()

    async def life() -> None:
        with pytest.raises(TimeoutError):
            await Workers(1).run(late, 0.05)

    asyncio.run(life())
    assert done.wait(10)
