"""A simulated connection: opens sockets, delivers in order but late, and loses sockets."""

from collections.abc import Callable
from dataclasses import dataclass

from parleyd.config import Config
from parleyd.core.events import (
    ConnectionDown,
    ConnectionUp,
    Effect,
    InputEvent,
    Reconnect,
    RenewConnection,
    Send,
    SessionExpiry,
    SetConnectionWanted,
)
from parleyd.realtime import backoff
from parleyd.realtime import events as ev
from parleyd.realtime.server_errors import ErrorAction, classify_close
from tests.soak.server import Answer, Clock, Server
from tests.soak.sounds import Sound

About = Answer | Sound | None


@dataclass(eq=False, slots=True)
class _Socket:
    """One connection: its server, and when the latest event arrives at each end."""

    server: Server | None = None
    down_at: float = 0.0
    up_at: float = 0.0
    ended: bool = False


class PaperLink:
    """Keeps the contract of `parleyd.realtime.connection` in simulated time."""

    def __init__(
        self, clock: Clock, settings: Config, post: Callable[[InputEvent, About], None]
    ) -> None:
        self._clock, self._settings, self._post = clock, settings, post
        self._wanted = settings.realtime.connection == "warm"
        self._socket: _Socket | None = None
        self._trying = False
        self._attempt = 0
        self._gone = False  # permanently: refused, or the speaker was restarted
        self.outage = False
        self.sockets = 0
        if self._wanted:
            self._try(0.0)

    @property
    def server(self) -> Server | None:
        """The other end of the open socket."""
        return self._socket.server if self._socket is not None else None

    def carry(self, effect: Effect) -> None:
        """Act on one effect of the core."""
        match effect:
            case Send(event):
                self._send(event)
            case SetConnectionWanted(wanted):
                self._wanted = wanted
                if wanted:
                    self._trying = False  # end a retry delay early
                    self._try(0.0)
                else:
                    self._end()
            case RenewConnection():
                if self._end():
                    self._try(0.0)
            case Reconnect(reason, fatal, later):
                if self._end() or fatal:
                    put_off = ErrorAction.LATER if later else ErrorAction.RECONNECT
                    self._down(reason, ErrorAction.FATAL if fatal else put_off)

    def cut(self) -> None:
        """Break the network connection."""
        if self._end():
            self._down("the connection broke", ErrorAction.RECONNECT)

    def close(self, code: int, reason: str) -> None:
        """Close the socket from the server's side."""
        if self._socket is not None:
            self._closed(self._socket, code, reason)

    def forget(self) -> None:
        """Close the socket for good: the daemon ends."""
        self._end()
        self._gone = True

    # --- sockets ------------------------------------------------------------------------

    def _try(self, delay_s: float) -> None:
        if self._trying or self._socket is not None or self._gone:
            return
        self._trying = True
        opening_s = self._clock.random.uniform(0.02, 0.4 if self._clock.friendly else 2.5)
        self._clock.after(delay_s + opening_s, self._open)

    def _open(self) -> None:
        if not self._trying or self._gone or self._socket is not None:
            return
        self._trying = False
        if not self._wanted:
            return
        if self.outage or (not self._clock.friendly and self._clock.random.random() < 0.1):
            self._down("no connection", ErrorAction.RECONNECT)
            return
        self._attempt = 0
        self.sockets += 1
        socket = _Socket()
        self._socket = socket
        self._post(ConnectionUp(), None)
        socket.server = Server(
            self._clock,
            self._settings,
            lambda event, about: self._receive(socket, event, about),
            lambda code, reason: self._closed(socket, code, reason),
        )
        if self._clock.random.random() < 0.3:
            self._post(SessionExpiry(self._clock.random.uniform(70, 900)), None)

    def _end(self) -> bool:
        """Deliver nothing more from the open socket; returns False if there is none."""
        socket, self._socket = self._socket, None
        if socket is None:
            return False
        socket.ended = True
        if socket.server is not None:
            socket.server.open = False
        return True

    def _closed(self, socket: _Socket, code: int, reason: str) -> None:
        if socket.server is not None:
            socket.server.open = False

        def arrives() -> None:
            if not socket.ended:
                self._end()
                refusal = classify_close(code, reason)
                self._down(refusal.text, refusal.action)

        self._clock.after(max(0.0, socket.down_at - self._clock.now) + 0.01, arrives)

    def _down(self, reason: str, remedy: ErrorAction) -> None:
        fatal = remedy is ErrorAction.FATAL
        self._post(ConnectionDown(reason, fatal, remedy is ErrorAction.LATER), None)
        self._gone = self._gone or fatal
        delay_s = backoff.delay_s(remedy, self._attempt, self._clock.random.random())
        self._attempt += 1
        if delay_s is not None and self._wanted:
            self._try(delay_s)

    # --- events -------------------------------------------------------------------------

    def _receive(self, socket: _Socket, event: ev.ServerEvent, about: About) -> None:
        decoded = ev.decode_server(ev.encode(event))
        assert isinstance(decoded, ev.ServerEvent)
        socket.down_at = max(socket.down_at, self._clock.now + self._latency_s())

        def arrives() -> None:
            if not socket.ended:
                self._post(decoded, about)

        self._clock.after(socket.down_at - self._clock.now, arrives)

    def _send(self, event: ev.ClientEvent) -> None:
        socket = self._socket
        if socket is None:
            return
        decoded = ev.decode_client(ev.encode(event))
        assert isinstance(decoded, ev.ClientEvent)
        socket.up_at = max(socket.up_at, self._clock.now + self._latency_s())

        def arrives() -> None:
            if socket.server is not None:
                socket.server.receive(decoded)

        self._clock.after(socket.up_at - self._clock.now, arrives)

    def _latency_s(self) -> float:
        random = self._clock.random
        stall_s = 0.0
        if not self._clock.friendly and random.random() < 0.0005:
            stall_s = random.uniform(0.5, 4.0)
        return random.uniform(0.01, 0.05) + stall_s
