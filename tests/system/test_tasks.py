"""The failure of a background task is logged."""

import asyncio

import pytest

from parleyd.system.tasks import failed


async def well() -> None:
    pass


async def ill() -> None:
    raise RuntimeError("rhubarb")


async def endless() -> None:
    await asyncio.Event().wait()


def test_failed_is_true_of_a_task_that_raised_and_logs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> list[bool]:
        tasks = [asyncio.create_task(run(), name=run.__name__) for run in (well, ill, endless)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [failed(task) for task in tasks]

    assert asyncio.run(scene()) == [False, True, False]
    assert "the task ill failed" in caplog.text
    assert "RuntimeError: rhubarb" in caplog.text
