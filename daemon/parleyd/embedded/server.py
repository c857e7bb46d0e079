"""The embedded server: WebSocket on a Unix socket or loopback, with one engine per connection."""

import asyncio
import http
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from parleyd.embedded.connection import ConnectionHandler
from parleyd.embedded.engine import Engine, EngineOptions
from parleyd.embedded.limits import (
    CLOSE_WITHIN_S,
    HANDSHAKE_WITHIN_S,
    MOST_MESSAGE_BYTES,
    MOST_UNREAD_BYTES,
)
from parleyd.embedded.places import Places
from parleyd.embedded.speech import SpeechService
from parleyd.embedded.visitor import Visitor, Visitors
from parleyd.errors import ListenError
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.realtime.events import ErrorDetail, ServerError, encode

PATH = "/v1/realtime"
CLOSE_BAD_REQUEST = 4000  # the service's close code for a malformed request
CLOSE_FULL = 1013  # "try again later" (RFC 6455 registry)
CLOSE_BROKEN = 1011  # "internal error"
SUBPROTOCOLS = ("realtime", "openai-beta.realtime-v1")
"""The subprotocols to select, the better one first. Browsers offer a third one that contains
their key; it is never sent back."""

log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen and how to answer."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    listener: socket.socket | None = None
    """A Unix socket that already listens, instead of host and port; closed at the end."""
    pace: float | None = None
    """The speed of outgoing audio relative to real time; None: as fast as it is made."""
    local_time: Callable[[], datetime] = _now


_handshakes = logging.getLogger(f"{__name__}.handshakes")
_handshakes.setLevel(logging.CRITICAL)  # a client that leaves during the handshake is not an error


class RealtimeServer:
    """Async context manager; inside it, clients are served at `url`.

    Entering raises `OfflineSpeechError` when speech can't work on this machine, and
    `ListenError` when the port is taken. Leaving closes every connection with 1001.
    """

    def __init__(self, options: ServerOptions | None = None) -> None:
        self._options = options or ServerOptions()
        self._speech = SpeechService()
        self._server: Server | None = None
        self._visitors = Visitors()
        self._places = Places()
        self._goodbyes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RealtimeServer":
        options = self._options
        await self._speech.start()
        shared: dict[str, Any] = {
            "process_request": _only_the_path,
            "origins": [None],  # a web page in a browser on this machine is not a client
            "compression": None,  # base64 audio on one machine: effort without benefit
            "select_subprotocol": _subprotocol,
            "max_size": MOST_MESSAGE_BYTES,
            "max_queue": None,  # `Visitor` counts bytes instead
            "write_limit": MOST_UNREAD_BYTES,
            "open_timeout": HANDSHAKE_WITHIN_S,
            "close_timeout": CLOSE_WITHIN_S,
            "create_connection": partial(Visitor, visitors=self._visitors),
            "logger": _handshakes,
        }
        try:
            if options.listener is not None:
                serving = unix_serve(self._serve, sock=options.listener, **shared)
            else:
                serving = serve(self._serve, options.host, options.port, **shared)
            self._server = await serving
        except OSError as error:
            await self._speech.close()
            raise ListenError(
                f"Cannot listen on {options.host} port {options.port}: {error.strerror}. "
                "Choose a free one with --port, or 0 for any."
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self._speech.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        host = self._options.host
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}{PATH}"

    @property
    def worker_pid(self) -> int | None:
        """The recogniser's process, for measurements."""
        return self._speech.worker.pid

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, Visitor)
        assert socket.request is not None
        query = socket.request.path.partition("?")[2]
        model = parse_qs(query).get("model", [""])[0]
        betas = socket.request.headers.get_all("OpenAI-Beta")
        if any("realtime=v1" in beta for beta in betas):
            await _reject(
                socket, "beta_api_shape_disabled",
                "The beta version of the protocol is not supported; omit OpenAI-Beta.",
            )  # fmt: skip
            return
        if not model:
            await _reject(socket, "missing_model", "You must provide a model parameter.")
            return
        engine = Engine(
            EngineOptions(model=model, pace=self._options.pace),
            new_detector=VoiceActivityDetector,
            local_time=self._options.local_time,
            tag=secrets.token_hex(4),
        )
        connection = ConnectionHandler(socket, engine, self._speech.share())
        try:
            leaving = self._places.take(connection)
        except LookupError:
            await socket.close(CLOSE_FULL, "too many connections")
            return
        if leaving is not None:
            self._say_goodbye(leaving)
        socket.has_place = True
        try:
            await connection.run()
        except Exception:  # the rim: this conversation ends, the others continue
            log.exception("internal error: closing this conversation")
            await connection.close(CLOSE_BROKEN, "internal error")
        finally:
            socket.has_place = False
            self._places.leave(connection)

    def _say_goodbye(self, leaving: ConnectionHandler) -> None:
        task = asyncio.create_task(leaving.close(CLOSE_FULL, "idle, and others need the place"))
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)


def _subprotocol(socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The best one that the client offers; a client without one may connect as well."""
    return next((Subprotocol(known) for known in SUBPROTOCOLS if known in offered), None)


def _only_the_path(socket: ServerConnection, request: Request) -> Response | None:
    if request.path.partition("?")[0] == PATH:
        return None
    return socket.respond(http.HTTPStatus.NOT_FOUND, f"The realtime protocol is at {PATH}.\n")


async def _reject(socket: ServerConnection, code: str, message: str) -> None:
    """Refuse as the service does: accept, send the error, close."""
    kind = "invalid_request_error"
    detail = ErrorDetail(type=kind, code=code, message=message)
    await socket.send(encode(ServerError(event_id="event_rejected", error=detail)))
    await socket.close(CLOSE_BAD_REQUEST, f"{kind}.{code}")
