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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import websockets.asyncio.client as client
from websockets.exceptions import InvalidStatus, WebSocketException

from parleyd.boundary import Happening, LinkDown, LinkUp
from parleyd.config import Realtime
from parleyd.realtime.events import (
    ClientEvent,
    Malformed,
    ServerError,
    Unknown,
    decode_server,
    encode,
)
from parleyd.realtime.profiles import Profile
from parleyd.realtime.refusals import Refusal, Remedy, understand, understand_close

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10  # TLS over a slow Wi-Fi takes two seconds; ten means it is dead
PING_S = 5  # a dead Wi-Fi is noticed after PING_S + PONG_S; the server pings only every 20 s
PONG_S = 5
BIGGEST_MESSAGE = 16 * 1024 * 1024  # an item that is retrieved carries its audio
BACK_OFF_S = (0.5, 1, 2, 4, 8, 15, 30)  # then 30 for ever; each +- 25 %, so that fleets spread
SETTLED_S = 10  # a socket that lived this long starts the back-off anew
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
        """Our own server, wherever it listens."""
        return cls(f"{url}?model=embedded")


class Link:
    """Connects, reconnects, carries; lives on the event loop.

    `on_event` gets every server event, `LinkUp` and `LinkDown`, on the loop's thread.
    """

    def __init__(self, address: Address, on_event: Callable[[Happening], None]) -> None:
        self._address = address
        self._on_event = on_event
        self._outgoing: asyncio.Queue[ClientEvent] = asyncio.Queue(UNSENT_MOST)
        self._socket: client.ClientConnection | None = None
        self._reconnect: Refusal | None = None
        self._last_error: Refusal | None = None

    def send(self, event: ClientEvent) -> None:
        """Queue an event for the open socket; without one it is dropped (the session knows)."""
        if self._socket is None:
            return
        try:
            self._outgoing.put_nowait(event)
        except asyncio.QueueFull:
            self.reconnect("the network does not take our audio any more")

    def reconnect(self, reason: str, *, fatal: bool = False) -> None:
        """Close this socket; unless `fatal`, a new one follows."""
        self._reconnect = Refusal(Remedy.FATAL if fatal else Remedy.RECONNECT, reason)
        if self._socket is not None:
            # abort, not close(): a dead network would let the closing handshake hang
            self._socket.transport.abort()

    async def run(self) -> None:
        """Stay connected until cancelled or refused for good (then it returns)."""
        attempt = 0
        while True:
            started = asyncio.get_running_loop().time()
            down = await self._one_socket()
            fatal = down.remedy is Remedy.FATAL
            self._on_event(LinkDown(down.text, fatal))
            if fatal:
                log.error("realtime server: %s", down.text)
                return
            if asyncio.get_running_loop().time() - started > SETTLED_S:
                attempt = 0
            delay_s = BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)] * random.uniform(0.75, 1.25)
            attempt += 1
            log.warning("realtime server: %s; trying again in %.1f s", down.text, delay_s)
            await asyncio.sleep(delay_s)

    async def _one_socket(self) -> Refusal:
        """Open, carry, close; returns why it ended."""
        self._reconnect = self._last_error = None
        try:
            connection = client.connect(
                self._address.url,
                additional_headers=dict(self._address.headers),
                compression=None,  # audio does not compress, and a Pi has better to do
                max_size=BIGGEST_MESSAGE,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_S,
                ping_timeout=PONG_S,
                close_timeout=1,
            )
            async with connection as socket:
                return await self._carry(socket)
        except InvalidStatus as error:
            status = error.response.status_code
            fatal = status in (401, 403, 404)
            return Refusal(
                Remedy.FATAL if fatal else Remedy.RECONNECT,
                f"the server answers {status}: check realtime.url, realtime.model and the key",
            )
        except TimeoutError:
            return Refusal(Remedy.RECONNECT, "the server does not answer: check the network")
        except ssl.SSLError as error:
            return Refusal(
                Remedy.RECONNECT, f"no secure connection ({error.reason}): check the clock"
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Refusal(Remedy.RECONNECT, f"no connection ({reason}): check the network")
        except WebSocketException as error:
            return Refusal(Remedy.RECONNECT, f"no connection ({type(error).__name__})")

    async def _carry(self, socket: client.ClientConnection) -> Refusal:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()  # meant for the socket before
        self._socket = socket
        self._on_event(LinkUp())
        sender = asyncio.create_task(self._send_all(socket), name="link-sender")
        try:
            async for message in socket:
                self._receive(message)
        except WebSocketException:
            pass  # said below, together with the closes that end the loop silently
        finally:
            self._socket = None
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketException):
                await sender
        if self._reconnect is not None:
            return self._reconnect
        if self._last_error is not None and self._last_error.remedy is Remedy.FATAL:
            return self._last_error
        if socket.close_code == 1006:
            return Refusal(Remedy.RECONNECT, "the connection broke: check the network")
        return understand_close(socket.close_code, socket.close_reason or "")

    def _receive(self, message: str | bytes) -> None:
        event = decode_server(message)
        if isinstance(event, Unknown):
            log.debug("server event %s is not known here", event.type)
        elif isinstance(event, Malformed):
            log.warning("server sent something that is no event: %s", event.reason)
        else:
            if isinstance(event, ServerError):
                self._last_error = understand(event.error)
            self._on_event(event)

    async def _send_all(self, socket: client.ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await socket.send(encode(await self._outgoing.get()))
