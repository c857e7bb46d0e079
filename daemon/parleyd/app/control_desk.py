"""The control socket of a daemon, from its start to its end: a reload ends no connection."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from parleyd.app.audio_thread import Watcher
from parleyd.app.control_events import ControlEvents
from parleyd.app.control_requests import ControlRequests, Controls, refused
from parleyd.app.level_tap import LevelTap
from parleyd.app.service_status import ServiceStatus
from parleyd.control.place import Place
from parleyd.control.replies import AnyReply, Code
from parleyd.control.requests import ActRequest
from parleyd.control.server import ControlServer
from parleyd.core.events import GroupReached, InputEvent, MicPeriod, TickResult
from parleyd.host import scheduling


class ControlDesk:
    """Requests come on the socket's thread, and are carried out on the event loop.

    All methods are called on the event loop.
    """

    def __init__(self, place: Place, status: ServiceStatus) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._controls: Controls | None = None
        self.levels = LevelTap(lambda: self._server.measures)
        self._server = ControlServer(place, self._answer, self.levels.newest)
        self.events = ControlEvents(self._server.publish)
        self.requests = ControlRequests(status, self.events)

    def group_watcher(self, post: Callable[[InputEvent], None]) -> Watcher:
        """A watcher for the audio thread: posts whether a client relays to the group."""
        reached = False

        def observe(period: MicPeriod, step: TickResult) -> None:
            nonlocal reached
            if self._server.relays != reached:
                reached = not reached
                post(GroupReached(reached))

        return observe

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Listen inside the block."""
        self._loop = asyncio.get_running_loop()
        self._server.start()
        try:
            yield
        finally:
            self._server.close()

    def ask_for(self, priority: int) -> None:
        """Ask for the socket's thread for real-time scheduling; a refusal changes nothing.

        It shares the interpreter's lock with the audio thread, as the event loop does.
        """
        self._server.run_on_thread(partial(scheduling.ask_for, priority))

    @contextlib.contextmanager
    def serving(self, controls: Controls) -> Iterator[None]:
        """Carry out requests with these parts inside the block."""
        self._controls = controls
        try:
            yield
        finally:
            self._controls = None
            self.requests.give_up()

    async def _answer(self, request: ActRequest) -> AnyReply:
        """On the socket's thread."""
        acting = self._act(request)
        try:
            acted = asyncio.run_coroutine_threadsafe(acting, self._loop)
        except RuntimeError:  # the event loop has ended
            acting.close()
            return refused(request, Code.RELOADING, "the daemon ends")
        return await asyncio.wrap_future(acted)

    async def _act(self, request: ActRequest) -> AnyReply:
        if self._controls is None:
            return refused(request, Code.RELOADING, "the configuration changes: try again")
        return await self.requests.act(request, self._controls)
