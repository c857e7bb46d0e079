"""The connection to a realtime server: one WebSocket after another, as long as the daemon runs.

It only transports: it decodes and delivers input at once (a reader that waits for playback would
miss its pings), and keeps the order of output. The session interprets the events, and
`server_errors` decides when to stop retrying.
"""

import asyncio
import contextlib
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from websockets.exceptions import WebSocketException

from parleyd.realtime import backoff, keepalive
from parleyd.realtime.address import ServerAddress as ServerAddress
from parleyd.realtime.connection_events import (
    ConnectionDown,
    ConnectionEvent,
    ConnectionUp,
    Link,
    SessionExpiry,
)
from parleyd.realtime.dialing import MonitoredConnection, Way, dial
from parleyd.realtime.events import (
    AudioDelta,
    ClientEvent,
    Malformed,
    ServerError,
    SessionCreated,
    Unknown,
    decode_server,
    encode,
)
from parleyd.realtime.failures import explain
from parleyd.realtime.frames import BIGGEST_MESSAGE as BIGGEST_MESSAGE
from parleyd.realtime.frames import messages, refused_message
from parleyd.realtime.keepalive import LOOK_S, Keepalive, KeepaliveAction
from parleyd.realtime.server_errors import (
    KEY_REFUSED,
    ClassifiedError,
    ErrorAction,
    classify_close,
    classify_error,
    key_refused,
)
from parleyd.realtime.unix_address import UnixAddress, is_ours
from parleyd.system.tasks import failed

log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.WARNING)  # below, websockets logs the key and all that is spoken

OPEN_TIMEOUT_S = 10  # TLS over slow Wi-Fi takes two seconds; after ten, the connection is dead
MOST_PATIENCE = 8  # times the timeout, for a server that starts a machine before it answers
SETTLED_S = 60  # a socket that lived this long resets the back-off
LATEST = 32_503_680_000  # the year 3000; a greater number may be too large for arithmetic
PIECE_BYTES = 48_000  # a second of speech; the audio thread handles it in 0.3 ms
CROWDED_S = 0.02  # between two checks for room for more events
MOST_RESTS = 50  # one second; after that the audio thread hangs, and the watchdog must act
UNSENT_MOST = 2000  # events that may wait for the network: over a minute of audio
OUR_ERROR = "an error in Parley itself: see the log"


class RealtimeConnection:
    """Connects, reconnects and transports events; lives on the event loop.

    `on_event` gets every server event, `ConnectionUp`, `SessionExpiry` and `ConnectionDown`, on
    the loop's thread. Unless `warm`, it connects only after `set_wanted`. While `crowded` reports
    too many waiting events, it delays reading the server's next message. `response_timeout_s`: how
    long a user waits for an answer, and the longest silence of a server that is only busy.
    """

    def __init__(
        self,
        address: ServerAddress,
        on_event: Callable[[ConnectionEvent], None],
        *,
        warm: bool = True,
        crowded: Callable[[], bool] = lambda: False,
        response_timeout_s: float = 20.0,
    ) -> None:
        self._address = address
        self._unix = UnixAddress.parse(address.url)  # the embedded server, never through a proxy
        self._advice = (
            "the embedded server restarts by itself" if self._unix else "check the network"
        )
        self._on_event = on_event
        self._crowded = crowded
        self._outgoing: asyncio.Queue[ClientEvent] = asyncio.Queue(UNSENT_MOST)
        self._socket: MonitoredConnection | None = None
        self._keepalive = Keepalive(0.0)
        self._end: ClassifiedError | None = None  # why we end the open socket; None: we don't
        self._planned = False  # we end it, and there is no problem
        self._fatal: ClassifiedError | None = None
        self._last_error: ClassifiedError | None = None
        self._patience = 1  # a multiple of OPEN_TIMEOUT_S
        self._silent_patience = 1.0  # a multiple of keepalive.SILENT_S
        self._most_patience = max(1.0, response_timeout_s / keepalive.SILENT_S)
        self._fell_silent = False  # the previous socket, but its server may just have been busy
        self._closing: asyncio.Task[None] | None = None  # keeps it from garbage collection
        self._wanted = asyncio.Event()
        self._retry_now = asyncio.Event()
        if warm:
            self._wanted.set()

    def send(self, event: ClientEvent) -> None:
        """Queue an event for the open socket; without one, drop it (the session knows)."""
        if self._socket is None or self._end is not None:
            return
        self._keepalive.sent(asyncio.get_running_loop().time())
        try:
            self._outgoing.put_nowait(event)
        except asyncio.QueueFull:
            self.reconnect("the network no longer accepts our audio")

    def set_wanted(self, wanted: bool) -> None:
        """Keep a socket open, and cut short any pause before the next attempt; or keep none."""
        if wanted:
            self._wanted.set()
            self._retry_now.set()
        else:
            self._wanted.clear()
            self._close("not needed")

    @property
    def link(self) -> Link:
        """The connection at this moment."""
        if self._socket is None:
            return Link("connecting" if self._wanted.is_set() else "resting")
        latency_s = self._socket.latency  # 0 until a ping is answered
        return Link("up", latency_s * 1000 if latency_s else None)

    def renew(self, reason: str) -> None:
        """Replace the open socket; `ConnectionDown` is only reported if that fails."""
        self._close(reason)

    def reconnect(self, reason: str, *, fatal: bool = False, later: bool = False) -> None:
        """Abort this socket; unless `fatal`, a new one follows, `later` in minutes."""
        action = ErrorAction.LATER if later else ErrorAction.RECONNECT
        self._end = ClassifiedError(ErrorAction.FATAL if fatal else action, reason)
        if fatal:
            self._fatal = self._end  # even if the socket is already gone
            self._retry_now.set()
        if self._socket is not None:
            # abort, not close(): on a dead network the closing handshake would hang
            self._socket.transport.abort()

    async def run(self) -> None:
        """Stay connected until cancelled, or until the server refuses for good (then it returns).

        An error in Parley is logged with its traceback; it ends the socket, but never the task.
        """
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            await self._wanted.wait()
            self._planned = False
            started = loop.time()
            down = self._named(self._fatal or await self._guarded())
            if self._planned:
                log.info("realtime server: connection closed by us: %s", down.text)
                attempt = 0
                continue
            if loop.time() - started > SETTLED_S:
                attempt = 0
            delay_s = backoff.delay_s(down.action, attempt, random.random())
            attempt += 1
            self._retry_now.clear()
            self._report(
                ConnectionDown(down.text, delay_s is None, down.action is ErrorAction.LATER)
            )
            if delay_s is None:
                log.error("realtime server: %s", down.text)
                return
            log.warning("realtime server: %s; trying again in %.1f s", down.text, delay_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._retry_now.wait()

    # --- internals --------------------------------------------------------------------

    def _close(self, reason: str) -> None:
        if self._socket is not None and self._end is None:
            self._end, self._planned = ClassifiedError(ErrorAction.RECONNECT, reason), True
            self._closing = asyncio.create_task(self._socket.close(), name="connection-close")
            self._closing.add_done_callback(self._ended)

    def _report(self, event: ConnectionEvent) -> None:
        """Deliver an event. An exception of the listener is logged and ends nothing."""
        try:
            self._on_event(event)
        except Exception:
            log.exception("cannot handle an event of the realtime server")

    def _named(self, refusal: ClassifiedError) -> ClassifiedError:
        """The refusal of a key, with the name of the key from the address."""
        if refusal.text != KEY_REFUSED:
            return refusal
        return key_refused(self._address.key_name, sent=self._address.carries_key)

    async def _guarded(self) -> ClassifiedError:
        """One socket; the rim of the connection's task."""
        try:
            return await self._one_socket()
        except Exception:
            log.exception("internal error in the connection to the realtime server")
            return ClassifiedError(ErrorAction.RECONNECT, OUR_ERROR)

    async def _one_socket(self) -> ClassifiedError:
        """Open, transport and close; returns the reason for its end."""
        self._end = self._last_error = None
        way = Way(self._address.host, 0 if self._unix else self._address.port)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S * self._patience):
                socket = await self._open(way)
            self._patience = 1
        except Exception as error:
            if isinstance(error, TimeoutError) and way.reached == "shaking hands":
                self._patience = min(2 * self._patience, MOST_PATIENCE)
            else:
                self._fell_silent, self._silent_patience = False, 1.0  # the network was the cause
            refusal = explain(error, self._address, way, now=time.time())
            if refusal is None:
                raise
            if self._unix and refusal.action is ErrorAction.RECONNECT:
                return ClassifiedError(ErrorAction.RECONNECT, f"no connection: {self._advice}")
            return refusal
        try:
            if self._unix and not is_ours(socket.transport.get_extra_info("socket")):
                return ClassifiedError(
                    ErrorAction.BACK_OFF, "another process has taken the socket's place"
                )
            return await self._pump(socket)
        finally:
            await socket.close()

    async def _open(self, way: Way) -> MonitoredConnection:
        opening = await dial(
            self._address,
            os.environ,
            way,
            additional_headers=dict(self._address.headers),
            compression=None,  # audio does not compress, and the Pi needs its processor
            max_size=BIGGEST_MESSAGE,
            open_timeout=None,  # `_one_socket` has one for the whole attempt
            ping_interval=None,  # `Keepalive` decides better when to ping
            close_timeout=1,
            logger=_wire,
        )
        socket = await opening
        assert isinstance(socket, MonitoredConnection)
        return socket

    async def _pump(self, socket: MonitoredConnection) -> ClassifiedError:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()  # meant for the previous socket
        self._be_patient()
        self._keepalive = Keepalive(asyncio.get_running_loop().time(), self._silent_patience)
        self._socket = socket
        self._report(ConnectionUp())
        opened = asyncio.get_running_loop().time()
        tasks = [
            asyncio.create_task(self._send_all(socket), name="connection-sender"),
            asyncio.create_task(self._send_pings(socket), name="connection-keepalive"),
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            async for message in messages(socket):
                if self._end is not None:
                    break  # it would belong to a session that is over
                self._receive(message)
                await self._room()
        except WebSocketException:
            pass  # reported below, together with closes that end the loop silently
        finally:
            self._socket = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        settled = asyncio.get_running_loop().time() - opened > SETTLED_S
        if settled and not (self._fell_silent or self._keepalive.was_busy):
            self._silent_patience = 1.0  # no sign of a busy server: the network was the cause
        return self._close_reason(socket)

    def _be_patient(self) -> None:
        """A server that accepts a new socket right after it fell silent was busy: if it computes
        an answer in its only thread, it answers no pings meanwhile."""
        if self._fell_silent:
            self._silent_patience = min(2 * self._silent_patience, self._most_patience)
            silent_s = keepalive.SILENT_S * self._silent_patience
            log.info("realtime server: allowing %.0f s of silence from now on", silent_s)
        self._fell_silent = False

    async def _room(self) -> None:
        """Wait, for a limited time, until the delivered events are handled."""
        for _ in range(MOST_RESTS):
            if not self._crowded():
                break
            await asyncio.sleep(CROWDED_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A failed task leaves an unusable socket: log the traceback and replace the socket."""
        if failed(task):
            self.reconnect(OUR_ERROR)

    def _close_reason(self, socket: MonitoredConnection) -> ClassifiedError:
        """The best explanation of an end: ours, the server's error, or its close code."""
        if self._end is not None:
            return self._end
        if self._last_error is not None:
            return self._last_error
        if too_big := refused_message(socket):
            return ClassifiedError(ErrorAction.RECONNECT, too_big)
        if socket.close_code == 1006:
            return ClassifiedError(ErrorAction.RECONNECT, f"the connection broke: {self._advice}")
        return classify_close(socket.close_code, socket.close_reason or "")

    def _receive(self, message: str | bytes) -> None:
        event = decode_server(message)
        if isinstance(event, Unknown):
            log.debug("unknown server event %s", event.type)
            return
        if isinstance(event, Malformed):
            log.warning("the server sent an invalid event: %s", event.reason)
            return
        self._last_error = None
        if isinstance(event, AudioDelta) and len(event.delta) > PIECE_BYTES:
            for piece in _pieces(event):
                self._report(piece)
            return
        if isinstance(event, ServerError):
            refusal = classify_error(event.error)
            if refusal.action in (
                ErrorAction.RECONNECT,
                ErrorAction.BACK_OFF,
                ErrorAction.LATER,
                ErrorAction.FATAL,
            ):
                self._last_error = refusal  # a close that follows immediately is its consequence
        self._report(event)
        if isinstance(event, SessionCreated):
            ends = event.session.get("expires_at")
            if isinstance(ends, int | float) and 0 < ends < LATEST:
                self._report(SessionExpiry(ends - time.time()))

    async def _send_all(self, socket: MonitoredConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await socket.send(_frame(await self._outgoing.get()))

    async def _send_pings(self, socket: MonitoredConnection) -> None:
        """Send pings, and abort a socket that has gone silent."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            self._keepalive.heard(socket.heard_at)
            match self._keepalive.next(loop.time()):
                case KeepaliveAction.DEAD:
                    self._fell_silent = self._unix is None
                    self.reconnect(f"the server has gone silent: {self._advice}")
                case KeepaliveAction.PING:
                    # a dead network takes no ping either; `next` still reports when it is dead
                    with contextlib.suppress(WebSocketException, TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await socket.ping()
                case KeepaliveAction.NOTHING:
                    pass


def _pieces(event: AudioDelta) -> Iterator[AudioDelta]:
    """The audio of a long delta as several deltas of whole frames."""
    for start in range(0, len(event.delta), PIECE_BYTES):
        yield msgspec.structs.replace(event, delta=event.delta[start : start + PIECE_BYTES])


def _frame(event: ClientEvent) -> str:
    """The text frame of an event. Text that is not valid Unicode becomes U+FFFD: a skill may return
    a file name that is not UTF-8, which Python represents with lone surrogates."""
    try:
        return encode(event)
    except UnicodeEncodeError:
        return msgspec.json.encode(_well_formed(msgspec.to_builtins(event))).decode()


def _well_formed(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_well_formed(key): _well_formed(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_well_formed(entry) for entry in value]
    return value
