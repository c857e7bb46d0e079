"""The link: one WebSocket after the other to a realtime server, for as long as we run.

It only carries: what comes is decoded and handed on at once (a reader that waits for
playback would miss its pings), what goes out keeps its order. What events mean is the
session's business, when to give up is decided by `refusals`.
"""

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import websockets.asyncio.client as client
from websockets.exceptions import InvalidStatus, WebSocketException

from parleyd.boundary import Expires, Happening, LinkDown, LinkUp
from parleyd.config import Realtime
from parleyd.realtime import backoff
from parleyd.realtime.events import (
    ClientEvent,
    Malformed,
    ServerError,
    SessionCreated,
    Unknown,
    decode_server,
    encode,
)
from parleyd.realtime.profiles import Profile
from parleyd.realtime.pulse import LOOK_S, Beat, Pulse
from parleyd.realtime.refusals import Refusal, Remedy, understand, understand_close
from parleyd.realtime.unix_address import UnixAddress, is_ours

log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.WARNING)  # below, websockets writes down the key and all that is said

OPEN_TIMEOUT_S = 10  # TLS over a slow Wi-Fi takes two seconds; ten means it is dead
BIGGEST_MESSAGE = 16 * 1024 * 1024  # an item that is retrieved carries its audio
SETTLED_S = 60  # a socket that lived this long starts the back-off anew
LATEST = 32_503_680_000  # the year 3000; a greater number may be too great to compute with
UNSENT_MOST = 2000  # events that may wait for the network: over a minute of audio


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and how to be let in; `headers` hold the key: never print it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, realtime: Realtime, server: Profile, key: str | None) -> "Address":
        """The GA address: the model is a query parameter, the key stands in a header."""
        parts = urlsplit(realtime.url or server.url)
        query = dict(parse_qsl(parts.query))
        if model := realtime.model or server.model:
            query.setdefault("model", model)
        full = urlunsplit(parts._replace(query=urlencode(query)))
        bearer = server.key_header == "Authorization"
        token = {server.key_header: f"Bearer {key}" if bearer else key} if key else {}
        return cls(full, {**realtime.headers, **token})

    @classmethod
    def embedded(cls, url: str) -> "Address":
        """Our own server, wherever it listens: ``ws+unix:/path`` or ``ws://127.0.0.1:...``."""
        return cls(f"{url}?model=embedded")


class Link:
    """Connects, reconnects, carries; lives on the event loop.

    `on_event` gets every server event, `LinkUp`, `Expires` and `LinkDown`, on the loop's
    thread. A link that is not `warm` connects when `want` says so.
    """

    def __init__(
        self, address: Address, on_event: Callable[[Happening], None], *, warm: bool = True
    ) -> None:
        self._address = address
        self._unix = UnixAddress.parse(address.url)  # our own server, never through a proxy
        self._advice = (
            "the embedded server is started again by itself" if self._unix else "check the network"
        )
        self._on_event = on_event
        self._outgoing: asyncio.Queue[ClientEvent] = asyncio.Queue(UNSENT_MOST)
        self._socket: _Connection | None = None
        self._pulse = Pulse(0.0)
        self._end: Refusal | None = None  # why we end the open socket; None: we don't
        self._planned = False  # we end it, and nothing is wrong
        self._fatal: Refusal | None = None
        self._last_error: Refusal | None = None
        self._closing: asyncio.Task[None] | None = None  # kept, or it might be collected
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        if warm:
            self._wanted.set()

    def send(self, event: ClientEvent) -> None:
        """Queue an event for the open socket; without one it is dropped (the session knows)."""
        if self._socket is None or self._end is not None:
            return
        self._pulse.sent(asyncio.get_running_loop().time())
        try:
            self._outgoing.put_nowait(event)
        except asyncio.QueueFull:
            self.reconnect("the network does not take our audio any more")

    def want(self, wanted: bool) -> None:
        """Hold a socket, and cut short any pause before the next try; or hold none."""
        if wanted:
            self._wanted.set()
            self._hurry.set()
        else:
            self._wanted.clear()
            self._close("not needed")

    def renew(self, reason: str) -> None:
        """Replace the open socket by a new one; only if that fails, `LinkDown` is told."""
        self._close(reason)

    def reconnect(self, reason: str, *, fatal: bool = False) -> None:
        """Give this socket up; unless `fatal`, a new one follows."""
        self._end = Refusal(Remedy.FATAL if fatal else Remedy.RECONNECT, reason)
        if fatal:
            self._fatal = self._end  # also when the socket is gone already
            self._hurry.set()
        if self._socket is not None:
            # abort, not close(): a dead network would let the closing handshake hang
            self._socket.transport.abort()

    async def run(self) -> None:
        """Stay connected until cancelled or refused for good (then it returns)."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            await self._wanted.wait()
            self._planned = False
            started = loop.time()
            down = self._fatal or await self._one_socket()
            if self._planned:
                log.info("realtime server: connection closed by us: %s", down.text)
                attempt = 0
                continue
            if loop.time() - started > SETTLED_S:
                attempt = 0
            delay_s = backoff.delay_s(down.remedy, attempt, random.random())
            attempt += 1
            self._on_event(LinkDown(down.text, fatal=delay_s is None))
            if delay_s is None:
                log.error("realtime server: %s", down.text)
                return
            log.warning("realtime server: %s; trying again in %.1f s", down.text, delay_s)
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._hurry.wait()

    # --- inside -----------------------------------------------------------------------

    def _close(self, reason: str) -> None:
        if self._socket is not None and self._end is None:
            self._end, self._planned = Refusal(Remedy.RECONNECT, reason), True
            self._closing = asyncio.create_task(self._socket.close(), name="link-close")

    async def _one_socket(self) -> Refusal:
        """Open, carry, close; returns why it ended."""
        self._end = self._last_error = None
        try:
            async with self._connection() as socket:
                assert isinstance(socket, _Connection)
                if self._unix and not is_ours(socket.transport.get_extra_info("socket")):
                    return Refusal(Remedy.BACK_OFF, "another process has taken the socket's place")
                return await self._carry(socket)
        except InvalidStatus as error:
            return _refused_by_status(error.response.status_code)
        except TimeoutError:
            return Refusal(Remedy.RECONNECT, f"the server does not answer: {self._advice}")
        except ssl.SSLError as error:
            return Refusal(
                Remedy.RECONNECT, f"no secure connection ({error.reason}): check the clock"
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Refusal(Remedy.RECONNECT, f"no connection ({reason}): {self._advice}")
        except WebSocketException as error:
            return Refusal(Remedy.RECONNECT, f"no connection ({type(error).__name__})")

    def _connection(self) -> client.connect:
        options: dict[str, Any] = {
            "additional_headers": dict(self._address.headers),
            "compression": None,  # audio does not compress, and a Pi has better to do
            "max_size": BIGGEST_MESSAGE,
            "open_timeout": OPEN_TIMEOUT_S,
            "ping_interval": None,  # `Pulse` knows better when to ping
            "close_timeout": 1,
            "create_connection": _Connection,
            "logger": _wire,
        }
        if self._unix:
            return client.unix_connect(self._unix.path, self._unix.request, **options)
        return client.connect(self._address.url, **options)

    async def _carry(self, socket: "_Connection") -> Refusal:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()  # meant for the socket before
        self._pulse = Pulse(asyncio.get_running_loop().time())
        self._socket = socket
        self._on_event(LinkUp())
        tasks = [
            asyncio.create_task(self._send_all(socket), name="link-sender"),
            asyncio.create_task(self._feel(socket), name="link-pulse"),
        ]
        try:
            async for message in socket:
                if self._end is not None:
                    break  # it would be news of a session that is over
                self._receive(message)
        except WebSocketException:
            pass  # said below, together with the closes that end the loop silently
        finally:
            self._socket = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._why(socket)

    def _why(self, socket: "_Connection") -> Refusal:
        """The best explanation of an end: ours, the server's words, then its close code."""
        if self._end is not None:
            return self._end
        if self._last_error is not None:
            return self._last_error
        if socket.close_code == 1006:
            return Refusal(Remedy.RECONNECT, f"the connection broke: {self._advice}")
        return understand_close(socket.close_code, socket.close_reason or "")

    def _receive(self, message: str | bytes) -> None:
        event = decode_server(message)
        if isinstance(event, Unknown):
            log.debug("server event %s is not known here", event.type)
            return
        if isinstance(event, Malformed):
            log.warning("server sent something that is no event: %s", event.reason)
            return
        self._last_error = None
        if isinstance(event, ServerError):
            refusal = understand(event.error)
            if refusal.remedy in (Remedy.RECONNECT, Remedy.BACK_OFF, Remedy.FATAL):
                self._last_error = refusal  # a close right behind it is its consequence
        self._on_event(event)
        if isinstance(event, SessionCreated):
            ends = event.session.get("expires_at")
            if isinstance(ends, int | float) and 0 < ends < LATEST:
                self._on_event(Expires(ends - time.time()))

    async def _send_all(self, socket: "_Connection") -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await socket.send(encode(await self._outgoing.get()))

    async def _feel(self, socket: "_Connection") -> None:
        """Ping, and give up a socket that has gone silent."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            self._pulse.heard(socket.heard_at)
            match self._pulse.next(loop.time()):
                case Beat.DEAD:
                    self.reconnect(f"the server has gone silent: {self._advice}")
                case Beat.PING:
                    # a dead network takes no ping either; `next` still tells when it is over
                    with contextlib.suppress(WebSocketException, TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await socket.ping()
                case Beat.NOTHING:
                    pass


class _Connection(client.ClientConnection):
    """Knows when the last byte came in: a long message on a slow line is a sign of life."""

    heard_at = 0.0

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)


def _refused_by_status(status: int) -> Refusal:
    """A server that does not even open the socket; OpenAI's opens it and refuses then."""
    if status == 429:
        return Refusal(Remedy.BACK_OFF, "too many connections for this account: wait a moment")
    fatal = status in (401, 403, 404)
    return Refusal(
        Remedy.FATAL if fatal else Remedy.RECONNECT,
        f"the server answers {status}: check realtime.url, realtime.model and the key",
    )
