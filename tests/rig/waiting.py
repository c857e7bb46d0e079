"""Waiting for what other threads and processes do."""

import asyncio
from collections.abc import Callable

POLL_S = 0.02


async def until(true: Callable[[], bool], within_s: float) -> None:
    """Ask again and again, beside the event loop, until it is so; raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110  nothing here is told of it
            await asyncio.sleep(POLL_S)
