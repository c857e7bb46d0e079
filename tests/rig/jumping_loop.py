"""An event loop whose time is simulated: it jumps to the next timer when nothing else is left.

Sockets are real ones on loopback, between ends that all live on this loop. What one end
has written, the other can read at once, so a jump skips nothing but waiting: timeouts,
back-off, pings and the pace of a server all work as in life, and take no time.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

GRACE_S = 0.00005  # real time for the kernel to carry what was written, as a rule within `send`


class JumpingLoop(asyncio.SelectorEventLoop):
    """For code that uses no other thread; `time()` are simulated seconds from 0 on."""

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
    """Run a coroutine to its end; TimeoutError after `within_s` simulated seconds."""

    async def bounded() -> None:
        async with asyncio.timeout(within_s):
            await coroutine

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(bounded())
