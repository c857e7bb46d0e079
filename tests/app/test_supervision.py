"""A failing background task logs its traceback and starts again."""

import asyncio
import logging

import pytest

from parleyd.app import supervision
from parleyd.app.supervision import kept_up, running


def test_task_that_fails_is_logged_and_starts_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    starts = 0

    async def run() -> None:
        nonlocal starts
        starts += 1
        if starts < 6:
            raise RuntimeError(f"rhubarb {starts}")

    asyncio.run(kept_up("alarms", run))
    assert starts == 6
    assert pauses == [1.0, 5.0, 30.0, 30.0, 30.0]
    assert "the task alarms failed; it starts again in 1 s" in caplog.text
    assert 'raise RuntimeError(f"rhubarb {starts}")' in caplog.text  # the traceback


def test_task_that_ran_for_long_restarts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(supervision, "WELL_S", 0.0)
    starts = 0

    async def run() -> None:
        nonlocal starts
        starts += 1
        if starts < 4:
            raise RuntimeError

    asyncio.run(kept_up("alarms", run))
    assert pauses == [1.0, 1.0, 1.0]


def test_running_ends_all_tasks_and_a_failure_ends_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[str] = []

    async def well() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("well")

    async def ill() -> None:
        raise RuntimeError("rhubarb")

    async def scene() -> None:
        async with running(well=well, ill=ill):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert ended == []
        assert ended == ["well"]

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "rhubarb" in caplog.text
