"""The control socket: clients, their requests and subscriptions, on a separate thread."""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial

from parleyd.control.clients import ControlConnection, Gone
from parleyd.control.lines import RequestPace
from parleyd.control.place import Place, admitted, short
from parleyd.control.replies import (
    AnyEvent,
    AnyReply,
    Code,
    ErrorReply,
    GroupClaim,
    GroupSpeech,
    LevelsMeasured,
    Logged,
    StateChanged,
    TurnReported,
    encode,
)
from parleyd.control.requests import (
    ActRequest,
    MeasureRequest,
    SubscribeRequest,
    Topic,
    parse_request,
)
from parleyd.errors import ParleyError

MOST_CLIENTS = 32
WAITING_CLIENTS = 16  # of the kernel, until the thread accepts them
REQUESTS_PER_S, REQUESTS_AT_ONCE = 100.0, 50  # of all clients: what no user reaches costs 2 %
CONNECTIONS_PER_S, CONNECTIONS_AT_ONCE = 50.0, 64
LEVELS_S = 0.1
LOOKS_S = 0.1  # whether a client is there whose request takes the speaker away from its users
JOIN_S = 1.0

TOPICS: dict[type[AnyEvent], Topic] = {
    StateChanged: "state",
    LevelsMeasured: "levels",
    TurnReported: "turns",
    Logged: "log",
    GroupClaim: "group",
    GroupSpeech: "group",
}

Answer = Callable[[ActRequest], Awaitable[AnyReply]]
"""Answers a request on the server's event loop; its reply has the number of the request."""

log = logging.getLogger(__name__)


class ControlServer:
    """Listens from `start` until `close`; other threads call `publish`.

    `levels`: the newest measurement, read ten times a second while `measures` is true. Without a
    client the thread sleeps.
    """

    def __init__(
        self,
        place: Place,
        answer: Answer,
        levels: Callable[[], LevelsMeasured | None] = lambda: None,
    ) -> None:
        self._place, self._answer, self._levels = place, answer, levels
        self.measures = False
        """A client has subscribed to the levels; any thread may read it."""
        self.relays = False
        """A client has subscribed to the group; any thread may read it."""
        self._topics: frozenset[Topic] = frozenset()  # of all clients
        self._clients: set[ControlConnection] = set()
        self._requests = RequestPace(REQUESTS_PER_S, REQUESTS_AT_ONCE)
        self._connections = RequestPace(CONNECTIONS_PER_S, CONNECTIONS_AT_ONCE)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event
        self._measured: asyncio.Event
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; where that is impossible, log the reason: the speaker works without."""
        try:
            listening = _listen(self._place)
        except (OSError, ParleyError) as error:
            text = "no control socket at %s: %s; the commands find no daemon until it is restarted"
            log.warning(text, self._place.path, getattr(error, "strerror", None) or error)
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listening, started), name="control", daemon=True
        )
        self._thread.start()
        with contextlib.suppress(Exception):  # logged by the thread
            started.result()

    def close(self) -> None:
        """End all connections and the thread, and remove the socket; may be called twice."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        with contextlib.suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(self._ending.set)
        thread.join(JOIN_S)

    def publish(self, event: AnyEvent) -> None:
        """Push an event to its subscribers; any thread, neither blocks nor raises."""
        loop = self._loop
        if loop is not None and TOPICS[type(event)] in self._topics:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._push, event)

    def run_on_thread(self, work: Callable[[], object]) -> None:
        """Let the server's thread do something short, such as asking for a priority."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(work)

    # --- on the thread ------------------------------------------------------------------

    def _run(self, listening: socket.socket, started: Future[None]) -> None:
        try:
            with listening:
                asyncio.run(self._serve(listening, started))
        except Exception as error:  # the rim of the thread
            log.exception("the control socket is closed")
            if not started.done():
                started.set_exception(error)
        finally:
            with contextlib.suppress(OSError):
                self._place.path.unlink(missing_ok=True)

    async def _serve(self, listening: socket.socket, started: Future[None]) -> None:
        self._ending, self._measured = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        started.set_result(None)
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(self._accept(listening, tasks)),
                tasks.create_task(self._measure()),
            ]
            await self._ending.wait()
            for task in (*work, *(client.task for client in self._clients)):
                task.cancel()

    async def _accept(self, listening: socket.socket, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._connections.wait_s(loop.time()))
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # no more files, or the peer has gone
                log.warning("a control connection was not accepted: %s", error)
                await asyncio.sleep(1.0)
                continue
            if refusal := self._refusal(connection):
                _refuse(connection, refusal)
                continue
            client = ControlConnection(connection, self._reply_to, self._subscribed)
            self._clients.add(client)
            client.task = tasks.create_task(client.run())
            client.task.add_done_callback(partial(self._gone, client))

    def _refusal(self, connection: socket.socket) -> ErrorReply | None:
        try:
            if not admitted(connection, shared=self._place.shared):
                message = "only root, the daemon's user and its group may use this socket"
                return ErrorReply(code=Code.FORBIDDEN, message=message)
        except OSError as error:
            return ErrorReply(code=Code.FAILED, message=f"the peer is unknown: {error}")
        if len(self._clients) >= MOST_CLIENTS:
            message = f"{MOST_CLIENTS} clients are connected, which is the most"
            return ErrorReply(code=Code.FULL, message=message)
        return None

    def _gone(self, client: ControlConnection, task: "asyncio.Task[None]") -> None:
        self._clients.discard(client)
        self._subscribed()

    def _subscribed(self) -> None:
        """The topics of a client have changed."""
        self._topics = frozenset(topic for client in self._clients for topic in client.topics)
        self.measures, self.relays = "levels" in self._topics, "group" in self._topics
        if self.measures:
            self._measured.set()
        else:
            self._measured.clear()

    async def _reply_to(self, line: bytes, gone: Gone) -> AnyReply | SubscribeRequest:
        """The reply to a line, in the pace of all requests; a subscription is the client's."""
        await asyncio.sleep(self._requests.wait_s(asyncio.get_running_loop().time()))
        request = parse_request(line)
        if isinstance(request, ErrorReply | SubscribeRequest):
            return request
        try:
            if isinstance(request, MeasureRequest):
                return await _while_connected(self._answer(request), gone)
            return await self._answer(request)
        except Exception:  # the rim of a request
            log.exception("the control request %s failed", type(request).__name__)
            return ErrorReply(id=request.id, code=Code.FAILED, message="see the daemon's log")

    def _push(self, event: AnyEvent) -> None:
        topic, line = TOPICS[type(event)], encode(event)
        for client in self._clients:
            if topic in client.topics:
                client.event(line)

    async def _measure(self) -> None:
        newest = None
        while True:
            await self._measured.wait()
            levels = self._levels()
            if levels is not None and levels is not newest:
                newest = levels
                self._push(levels)
            await asyncio.sleep(LEVELS_S)


async def _while_connected(answer: Awaitable[AnyReply], gone: Gone) -> AnyReply:
    """The answer; cancelled when the client leaves, also a killed one."""
    answering = asyncio.ensure_future(answer)
    try:
        while not answering.done() and not gone():
            await asyncio.wait([answering], timeout=LOOKS_S)
        if answering.done():
            return answering.result()
        return ErrorReply(code=Code.STOPPED, message="the client has left")
    finally:
        answering.cancel()


def _listen(place: Place) -> socket.socket:
    """A listening socket at its place. Only the holder of the folder's lock may call it."""
    place.path.unlink(missing_ok=True)  # of a killed daemon
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short(place.path) as address:
            listening.bind(address)
            os.chmod(address, 0o660 if place.shared else 0o600)
            listening.listen(WAITING_CLIENTS)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _refuse(connection: socket.socket, refusal: ErrorReply) -> None:
    with connection, contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(encode(refusal))
