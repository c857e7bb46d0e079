"""The network between a client and its server: redirects, proxies, TLS, names, silence."""

import asyncio
import base64
import contextlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import websockets.asyncio.server as ws

from parleyd.core.events import ConnectionDown
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from tests.realtime.connection_ear import Ear, port_of

KEY = "sk-test-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}
_resolve = socket.getaddrinfo


async def stay(connection: ws.ServerConnection) -> None:
    await connection.wait_closed()


@contextlib.asynccontextmanager
async def connected(
    address: ServerAddress,
) -> AsyncIterator[tuple[RealtimeConnection, Ear, "asyncio.Task[None]"]]:
    """A connection that keeps trying."""
    ear = Ear()
    connection = RealtimeConnection(address, ear)
    task = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(30):
            yield connection, ear, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def first_down(address: ServerAddress) -> ConnectionDown:
    async with connected(address) as (_, ear, _):
        (down, *_) = await ear.wait(ConnectionDown)
        assert isinstance(down, ConnectionDown)
        return down


@dataclass
class Raw:
    """Accepts connections and sends the same bytes to each; records the received data."""

    reply: bytes = b""
    seen: list[bytes] = field(default_factory=list)
    port: int = 0
    hangs: bool = False

    @contextlib.asynccontextmanager
    async def running(self, host: str = "127.0.0.1") -> AsyncIterator["Raw"]:
        server = await asyncio.start_server(self._answer, host, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(await reader.read(65536))
        if self.hangs:
            await reader.read()
        writer.write(self.reply)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


def status(line: str, headers: str = "", body: str = "") -> bytes:
    text = f"HTTP/1.1 {line}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (text + body).encode()


@dataclass
class HttpProxy:
    """A real proxy for CONNECT, for one user if `user` is set; it answers with HTTP/`version`."""

    version: str = "1.1"
    user: str = ""
    to: int | None = None
    """A port of this device that replaces every server."""
    asked: list[str] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)
    port: int = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["HttpProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split("\r\n")[0])
        token = base64.b64encode(self.user.encode()).decode()
        if self.user and f"Proxy-Authorization: Basic {token}\r\n" not in head:
            writer.write(f"HTTP/{self.version} 407 Proxy Authentication Required\r\n\r\n".encode())
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        writer.write(f"HTTP/{self.version} 200 Connection established\r\n\r\n".encode())
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.carried += data
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass
class SocksProxy:
    """A real SOCKS5 proxy (RFC 1928) without users, for names and addresses."""

    to: int = 0
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["SocksProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind = await reader.readexactly(4)
        length = (await reader.readexactly(1))[0] if kind == 3 else 4
        name = await reader.readexactly(length)
        await reader.readexactly(2)
        self.asked.append(name.decode() if kind == 3 else socket.inet_ntoa(name))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        pump = HttpProxy()._pump
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


def names(monkeypatch: pytest.MonkeyPatch, **places: list[str] | OSError) -> None:
    """Map names (with "_" for ".") to addresses of this device, or to an error."""

    def fake(host: str, port: int, *args: object, **kwargs: object) -> object:
        place = places.get(str(host).replace(".", "_"))
        if place is None:
            return _resolve(host, port, *args, **kwargs)  # type: ignore[arg-type]
        if isinstance(place, OSError):
            raise place
        return [info for one in place for info in _resolve(one, port, *args, **kwargs)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


@contextlib.contextmanager
def black_hole(host: str, port: int) -> Iterator[None]:
    """A port that swallows connections: its queue is full, and it refuses nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield


def certificate(folder: Path, name: str, *, days: int = 2) -> Path:
    """A self-signed certificate and its key in one file; -1 makes it expired since yesterday."""
    path = folder / f"{name}.pem"
    key, request, signed = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    for command in (
        f"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name}"
        f" -addext subjectAltName=DNS:{name} -keyout {key} -out {request}",
        f"x509 -req -in {request} -signkey {key} -copy_extensions copy -days {days} -out {signed}",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    path.write_text(key.read_text() + signed.read_text())
    return path


@contextlib.asynccontextmanager
async def tls_server(path: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    async with ws.serve(stay, "127.0.0.1", 0, ssl=context) as server:
        yield port_of(server)
