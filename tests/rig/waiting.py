"""Waits for conditions in other threads and processes."""

import asyncio
from collections.abc import Callable

POLL_S = 0.02


async def until(true: Callable[[], bool], within_s: float) -> None:
    """Poll a condition outside the event loop until it holds. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(POLL_S)
