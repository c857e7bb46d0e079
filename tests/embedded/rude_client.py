"""A hand-written WebSocket client that misbehaves, and the server as a process."""

import asyncio
import base64
import contextlib
import json
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

PATIENCE_S = 30.0
TEXT, BINARY, CONTINUATION, PING = 1, 2, 0, 9


class Rude:
    """One TCP connection; it reads nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def shake_hands(self, query: str, *headers: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET /v1/realtime?{query} HTTP/1.1", "Host: here", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            *headers,
        ]  # fmt: skip
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(PATIENCE_S):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101"), self.head

    async def send(self, frame: bytes) -> None:
        """Raises `ConnectionError` when the server has dropped this client."""
        self.writer.write(frame)
        await self.writer.drain()

    async def receive(self) -> Any:
        """The next event, for clients that read."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                first, size = await self.reader.readexactly(2)
                if size == 126:
                    (size,) = struct.unpack("!H", await self.reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
                payload = await self.reader.readexactly(size)
                if first & 0x0F == TEXT:
                    return json.loads(payload)

    async def dropped(self) -> bool:
        """Whether the server ends this connection, regardless of unread data."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while await self.reader.read(1 << 16):
                    pass
        return True


def frame(payload: bytes, kind: int = TEXT, *, final: bool = True) -> bytes:
    """A masked frame; the mask is zero."""
    head = bytes([kind | (0x80 if final else 0)])
    if len(payload) < 126:
        return head + bytes([0x80 | len(payload)]) + bytes(4) + payload
    if len(payload) < 1 << 16:
        return head + struct.pack("!BH", 0x80 | 126, len(payload)) + bytes(4) + payload
    return head + struct.pack("!BQ", 0x80 | 127, len(payload)) + bytes(4) + payload


def event(kind: str, **fields: Any) -> bytes:
    """One event in one frame."""
    return frame(json.dumps({"type": kind, **fields}).encode())


def user_text(text: str) -> bytes:
    part = {"type": "input_text", "text": text}
    return event(
        "conversation.item.create", item={"type": "message", "role": "user", "content": [part]}
    )


class Served:
    """`parley serve` as a separate process whose memory can be measured."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self._clients: list[Rude] = []

    async def connect(self) -> Rude:
        """A client that has only connected."""
        client = Rude(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16))
        self._clients.append(client)
        return client

    async def open(self, query: str = "model=x", *headers: str) -> Rude:
        """A client after the handshake; it reads nothing further."""
        client = await self.connect()
        await client.shake_hands(query, *headers)
        return client

    async def leave(self) -> None:
        """End all clients."""
        for client in self._clients:
            client.writer.transport.abort()
        waiting = (client.writer.wait_closed() for client in self._clients)
        await asyncio.gather(*waiting, return_exceptions=True)

    @property
    def mb(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        raise AssertionError("the server is gone")

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parleyd", "serve", "--exit-with-parent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = (await process.stdout.readline()).decode()
        server = Served(process, int(line.split(":")[2].split("/")[0]))
        try:
            yield server
        finally:
            await server.leave()
        assert process.returncode is None, "the server has ended"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await process.communicate()
    assert errors == b"", errors.decode()
