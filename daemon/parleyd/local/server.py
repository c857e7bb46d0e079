"""The embedded server: WebSocket on a Unix socket or loopback, one engine for each connection."""

import http
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.http11 import Request, Response

from parleyd.errors import LinkError
from parleyd.hearing.voice import VoiceDetector
from parleyd.local.connection import Connection
from parleyd.local.decoding import MOST_APPEND_BYTES
from parleyd.local.engine import Engine, EngineOptions
from parleyd.local.speech import Speech
from parleyd.realtime.events import ErrorDetail, ServerError, encode

PATH = "/v1/realtime"
MOST_MESSAGE_BYTES = MOST_APPEND_BYTES * 4 // 3 + 4096  # the largest append in base64
MOST_CONNECTIONS = 8  # a device and a few developers; each holds up to 20 MB of audio
CLOSE_WITHIN_S = 1.0
CLOSE_BAD_REQUEST = 4000  # the service's close code for a request of the wrong shape
CLOSE_FULL = 1013  # "try again later" (RFC 6455 registry)


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen and how to answer."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    listener: socket.socket | None = None
    """A Unix socket that listens already, instead of host and port; closed at the end."""
    pace: float | None = None
    """Audio goes out so many times faster than real time; None: as fast as it is made."""
    local_time: Callable[[], datetime] = _now


_handshakes = logging.getLogger(f"{__name__}.handshakes")
_handshakes.setLevel(logging.CRITICAL)  # a client that goes away while connecting is no error


class RealtimeServer:
    """Async context manager; inside it clients are served at `url`.

    Entering raises `OfflineSpeechError` when speech can't work on this machine, and
    `LinkError` when the port is taken. Leaving closes every connection with 1001.
    """

    def __init__(self, options: ServerOptions | None = None) -> None:
        self._options = options or ServerOptions()
        self._speech = Speech()
        self._server: Server | None = None
        self._connections = 0

    async def __aenter__(self) -> "RealtimeServer":
        options = self._options
        await self._speech.start()
        shared: dict[str, Any] = {
            "process_request": _only_the_path,
            "origins": [None],  # a web page in a browser on this machine is not a client
            "compression": None,  # base64 audio on one machine: work without use
            "max_size": MOST_MESSAGE_BYTES,
            "close_timeout": CLOSE_WITHIN_S,
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
            raise LinkError(
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
        """The recogniser's process, for measuring."""
        return self._speech.worker.pid

    async def _serve(self, socket: ServerConnection) -> None:
        if self._connections >= MOST_CONNECTIONS:
            await socket.close(CLOSE_FULL, "too many connections")
            return
        assert socket.request is not None
        model = parse_qs(urlsplit(socket.request.path).query).get("model", [""])[0]
        if "realtime=v1" in socket.request.headers.get("OpenAI-Beta", ""):
            await _reject(
                socket, "beta_api_shape_disabled",
                "The beta shape of this protocol is not spoken here; leave out OpenAI-Beta.",
            )  # fmt: skip
            return
        if not model:
            await _reject(socket, "missing_model", "You must provide a model parameter.")
            return
        engine = Engine(
            EngineOptions(model=model, pace=self._options.pace),
            new_detector=VoiceDetector,
            local_time=self._options.local_time,
            tag=secrets.token_hex(4),
        )
        self._connections += 1
        try:
            await Connection(socket, engine, self._speech).run()
        finally:
            self._connections -= 1


def _only_the_path(socket: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path == PATH:
        return None
    return socket.respond(http.HTTPStatus.NOT_FOUND, f"The realtime protocol is at {PATH}.\n")


async def _reject(socket: ServerConnection, code: str, message: str) -> None:
    """Refuse as the service does: accept, send the error, close."""
    kind = "invalid_request_error"
    detail = ErrorDetail(type=kind, code=code, message=message)
    await socket.send(encode(ServerError(event_id="event_rejected", error=detail)))
    await socket.close(CLOSE_BAD_REQUEST, f"{kind}.{code}")
