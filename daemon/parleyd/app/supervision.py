"""Background tasks that start again after a failure."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

log = logging.getLogger(__name__)

PAUSES_S = (
    1.0,
    5.0,
    30.0,
)  # before a new start: at once for a stray error, rarely for a lasting one
WELL_S = 60.0  # after this long without a failure, the pauses start again with the first

Run = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def running(**runs: Run) -> AsyncIterator[None]:
    """Run tasks inside the block; cancel them together at its end.

    A task that raises is logged with its traceback and starts again; one that returns has ended.
    """
    tasks = [asyncio.create_task(kept_up(name, run), name=name) for name, run in runs.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def kept_up(name: str, run: Run) -> None:
    """Run `run`, and again after every failure, until it returns or is cancelled."""
    clock = asyncio.get_running_loop().time
    failures = 0
    while True:
        began = clock()
        try:
            await run()
        except Exception:  # the rim of the task
            failures = 0 if clock() - began >= WELL_S else failures
            pause_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
            failures += 1
            log.exception("the task %s failed; it starts again in %.0f s", name, pause_s)
        else:
            return
        await asyncio.sleep(pause_s)
