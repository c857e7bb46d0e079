"""Background tasks that are kept running: one that fails is logged and starts again."""

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
WELL_S = 60.0  # a task that ran this long was well: its next pause is the first one again

Run = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def running(**runs: Run) -> AsyncIterator[None]:
    """Tasks that run inside the block and are cancelled, together, at its end.

    One that raises leaves its traceback in the log and starts again; one that returns is over.
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
