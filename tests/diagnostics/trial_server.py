"""A scripted realtime server on a real socket, beside the test, and certificates of an own CA."""

import asyncio
import contextlib
import json
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from time import time
from typing import Any, TypeVar

import websockets.asyncio.server as ws
from websockets.http11 import Request, Response

KEY = "sk-right-0123456789abcdefghij"
CREATED = {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1"}}

Served = TypeVar("Served")


@contextlib.contextmanager
def beside(make: Callable[[], AbstractAsyncContextManager[Served]]) -> Iterator[Served]:
    """Run an asynchronous context manager on a loop of another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def entered() -> tuple[AbstractAsyncContextManager[Served], Served]:
        manager = make()
        return manager, await manager.__aenter__()

    async def left(manager: AbstractAsyncContextManager[Served]) -> None:
        await manager.__aexit__(None, None, None)

    try:
        manager, served = asyncio.run_coroutine_threadsafe(entered(), loop).result(30)
        try:
            yield served
        finally:
            asyncio.run_coroutine_threadsafe(left(manager), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def error(code: str, **more: object) -> dict[str, object]:
    return {"type": "error", "error": {"type": "invalid_request_error", "code": code, **more}}


@dataclass
class TrialServer:
    """Refuses as a server refuses; a test changes it while it runs."""

    key: str = KEY
    status: int | None = None
    """Answer each request with this status instead of a WebSocket."""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    events: list[Any] = field(default_factory=lambda: [CREATED])
    closes: tuple[int, str] | None = None
    path: str = "/v1/realtime"
    clock_ahead_s: float = 0.0
    dated: bool = True
    certificate: Path | None = None
    port: int = 0
    seen: list[Request] = field(default_factory=list)
    received: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{'wss' if self.certificate else 'ws'}://localhost:{self.port}{self.path}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["TrialServer"]:
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
        async with ws.serve(
            self._talk,
            "127.0.0.1",
            self.port,
            ssl=context,
            process_request=self._answer,
            process_response=self._dated,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def _answer(self, connection: ws.ServerConnection, request: Request) -> Response | None:
        self.seen.append(request)
        if self.status is not None:
            response = connection.respond(HTTPStatus.OK, self.body)
            response.status_code = self.status
            for name, value in self.headers.items():
                if name in response.headers:
                    del response.headers[name]
                response.headers[name] = value
            return self._dated(connection, request, response)
        if request.path.partition("?")[0] != self.path:
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing is here\n")
        if request.headers.get("Authorization") != f"Bearer {self.key}" and self.key:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    def _dated(self, connection: Any, request: Any, response: Response) -> Response:
        if not self.dated:
            return response
        del response.headers["Date"]
        response.headers["Date"] = formatdate(time() + self.clock_ahead_s, usegmt=True)
        return response

    async def _talk(self, connection: ws.ServerConnection) -> None:
        for event in self.events:
            await connection.send(json.dumps(event) if isinstance(event, dict) else event)
        if self.closes is not None:
            await connection.close(*self.closes)
        async for message in connection:
            self.received.append(str(message))


AUTHORITY = """\
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = any
"""


class Authority:
    """An authority of the house: signs certificates for any time and name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "ca.conf"
        self._config.write_text(AUTHORITY.format(folder=folder))
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        self.certificate = folder / "ca.crt"
        self._run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=ca "
            f"-keyout {folder}/ca.key -out {self.certificate}"
        )

    def signed(self, name: str, starts: str = "20240101", ends: str = "20490101") -> Path:
        """A certificate of the name and its key in one file, valid between two dates."""
        file = self._folder / f"{name}-{starts}-{ends}"
        self._run(
            f"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} "
            f"-addext subjectAltName=DNS:{name} -keyout {file}.key -out {file}.csr"
        )
        self._run(
            f"ca -batch -config {self._config} -cert {self.certificate} "
            f"-keyfile {self._folder}/ca.key -startdate {starts}000000Z -enddate {ends}000000Z "
            f"-in {file}.csr -out {file}.crt -notext"
        )
        both = file.with_suffix(".pem")
        both.write_text(Path(f"{file}.key").read_text() + Path(f"{file}.crt").read_text())
        return both

    def _run(self, command: str) -> None:
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
