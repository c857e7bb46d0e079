"""An event loop with simulated time: it jumps to the next timer when no other work is left.

Sockets are real, on loopback, and all their ends run on this loop. Written data is readable at
the other end at once, so a jump skips only waiting: timeouts, back-off, pings and the pace of a
server work as in real time, but take none.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

GRACE_S = 0.00005  # real time for the kernel to deliver data, usually within `send`


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop for code without other threads; `time()` returns simulated seconds from 0."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.SelectSelector):  # unlike epoll's, its timeouts may be under 1 ms
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(GRACE_S)
        if not ready:
            self._loop.now += timeout
        return ready


def run_simulated(coroutine: Coroutine[Any, Any, None], within_s: float = 600.0) -> None:
    """Run a coroutine to its end. Raises `TimeoutError` after `within_s` simulated seconds."""

    async def bounded() -> None:
        async with asyncio.timeout(within_s):
            await coroutine

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(bounded())
