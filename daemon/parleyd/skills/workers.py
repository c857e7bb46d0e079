"""Threads for skills that may block: few, and none that anybody waits for at the end."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 4  # skills at once; more are hanging ones, and a Pi has four cores

_Result = TypeVar("_Result")


class Busy(Exception):
    """All threads are taken by skills that have not come back."""


class Workers:
    """Runs functions on daemon threads; belongs to one event loop.

    Not a ThreadPoolExecutor: that waits for its threads when the process ends, and one
    skill that hangs would keep the service from stopping.
    """

    def __init__(self, most: int = MOST) -> None:
        self._free = threading.Semaphore(most)

    async def run(self, function: Callable[[], _Result], within_s: float) -> _Result:
        """What `function` returns or raises; raises `Busy`, and TimeoutError after `within_s`.

        A function that is late goes on until it ends; nobody hears of it any more, but it
        counts as running.
        """
        if not self._free.acquire(blocking=False):
            raise Busy
        call = _Call(function, asyncio.get_running_loop(), self._free)
        threading.Thread(target=call.run, name="skill", daemon=True).start()
        async with asyncio.timeout(within_s):
            return await call.result


class _Call(Generic[_Result]):
    def __init__(
        self,
        function: Callable[[], _Result],
        loop: asyncio.AbstractEventLoop,
        free: threading.Semaphore,
    ) -> None:
        self.result: asyncio.Future[_Result] = loop.create_future()
        self._function, self._loop, self._free = function, loop, free

    def run(self) -> None:
        """The thread's body."""
        try:
            value = self._function()
        except BaseException as error:  # the rim of the thread: sys.exit in a skill ends nothing
            # a future takes no StopIteration, and SystemExit would end the event loop
            fits = isinstance(error, Exception) and not isinstance(error, StopIteration)
            kept = error if fits else RuntimeError(repr(error))
            self._tell(lambda: self.result.set_exception(kept))
        else:
            self._tell(lambda: self.result.set_result(value))
        finally:
            self._free.release()

    def _tell(self, how: Callable[[], None]) -> None:
        def tell() -> None:
            if not self.result.done():
                how()

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)
