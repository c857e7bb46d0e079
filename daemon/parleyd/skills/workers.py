"""A few threads for skills that may block; the process does not wait for them when it ends."""

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 4  # skills at once; more than this are hanging, and a Pi has four cores

_Result = TypeVar("_Result")


class Busy(Exception):
    """All threads are busy with skills that have not returned."""


class Abandoned(BaseException):
    """Raised inside a function whose result is no longer needed."""


class Workers:
    """Runs functions on daemon threads; belongs to one event loop.

    Not a ThreadPoolExecutor: that waits for its threads when the process ends, so a hanging
    skill would keep the service from stopping.
    """

    def __init__(self, most: int = MOST) -> None:
        self._free = threading.Semaphore(most)

    async def run(
        self, function: Callable[[], _Result], timeout_s: float, *, abandon: bool = False
    ) -> _Result:
        """Return or raise what `function` does; raises `Busy`, and TimeoutError after `timeout_s`.

        A late function runs until it ends; its result is dropped, but it still occupies its
        thread. With `abandon`, `Abandoned` is raised in it, which ends an endless loop in
        Python, but not a call that blocks in C.
        """
        if not self._free.acquire(blocking=False):
            raise Busy
        call = _WorkerCall(function, asyncio.get_running_loop(), self._free)
        thread = threading.Thread(target=call.run, name="skill", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the service has reached its limit of threads
            self._free.release()
            raise Busy from error
        try:
            async with asyncio.timeout(timeout_s):
                return await call.result
        except TimeoutError:
            if abandon and not call.over and thread.ident is not None:
                _raise_in(thread.ident)
            raise


class _WorkerCall(Generic[_Result]):
    def __init__(
        self,
        function: Callable[[], _Result],
        loop: asyncio.AbstractEventLoop,
        free: threading.Semaphore,
    ) -> None:
        self.result: asyncio.Future[_Result] = loop.create_future()
        self.over = False
        self._function, self._loop, self._free = function, loop, free

    def run(self) -> None:
        """The thread's body."""
        with contextlib.suppress(Abandoned):  # raised just after the function ended
            try:
                tell = self._outcome()
            finally:
                # before the result is delivered: its receiver may start the next function
                self._free.release()
            self._tell(tell)

    def _outcome(self) -> Callable[[], None]:
        try:
            value = self._function()
        except BaseException as error:  # the rim of the thread: sys.exit in a skill ends nothing
            kept = _fit(error)
            return lambda: self.result.set_exception(kept)
        finally:
            self.over = True
        return lambda: self.result.set_result(value)

    def _tell(self, how: Callable[[], None]) -> None:
        def tell() -> None:
            if not self.result.done():
                how()

        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(tell)


def _fit(error: BaseException) -> Exception:
    """An error that a future accepts: no StopIteration, and nothing that ends the event loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    try:
        return RuntimeError(repr(error))
    except BaseException:  # a user's `__repr__` may raise anything
        return RuntimeError(type(error).__name__)


def _raise_in(thread_id: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object(Abandoned)
    )
