"""One client of the control socket: answers its requests, and writes its events."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from parleyd import __version__
from parleyd.control.lines import ClientQueue, LineBuffer
from parleyd.control.replies import (
    LONGEST_LINE,
    PROTOCOL,
    AnyReply,
    Code,
    Done,
    ErrorReply,
    Hello,
    encode,
)
from parleyd.control.requests import SubscribeRequest, Topic

READ_BYTES = 1 << 14
UNSENT_BYTES = 1 << 14  # that a connection holds for a slow reader, beside its queue
STALLED_S = 60.0  # without a request from, or a byte to, a client: its place becomes free

Gone = Callable[[], bool]
"""Whether the peer has closed its side of the connection."""
AnswerLine = Callable[[bytes, Gone], Awaitable[AnyReply | SubscribeRequest]]
"""Returns the reply to a line; a subscription comes back, because it is the connection's."""

log = logging.getLogger(__name__)


class ControlConnection:
    """One connection: reads and answers one request after the other; a second task writes."""

    task: "asyncio.Task[None]"

    def __init__(
        self, connection: socket.socket, answer: AnswerLine, subscribed: Callable[[], None]
    ) -> None:
        """`subscribed` is called when `topics` has changed."""
        self._connection, self._answer_line, self._subscribed = connection, answer, subscribed
        self._queue = ClientQueue()
        self._filled, self._written = asyncio.Event(), asyncio.Event()
        self.topics: frozenset[Topic] = frozenset()

    def event(self, line: bytes) -> None:
        """Queue an event."""
        self._queue.event(line)
        self._filled.set()

    async def run(self) -> None:
        """Serve until the peer leaves, breaks the protocol or stalls."""
        reader, writer = await asyncio.open_unix_connection(sock=self._connection)
        writer.transport.set_write_buffer_limits(high=UNSENT_BYTES)
        tasks = [asyncio.create_task(self._write(writer)), asyncio.create_task(self._read(reader))]
        ends = True  # the server does
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            ends = False
        finally:  # also where the server ends while a peer leaves
            for task in tasks:
                task.cancel()
            writer.close()
            if ends:  # nobody would wait for a peer that does not read
                writer.transport.abort()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, OSError):
                log.error("a control connection failed", exc_info=result)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        lines = LineBuffer()
        await self._reply(Hello(protocol=PROTOCOL, version=__version__))
        while data := await self._receive(reader):
            for line in lines.feed(data):
                await self._reply(await self._answer(line, reader.at_eof))
            if lines.overflowed:
                message = f"a line has at most {LONGEST_LINE} bytes"
                await self._reply(ErrorReply(code=Code.TOO_LONG, message=message))
                return

    async def _receive(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes; none at the end. Raises `TimeoutError` for a client without purpose."""
        async with asyncio.timeout(None if self.topics else STALLED_S):
            return await reader.read(READ_BYTES)

    async def _answer(self, line: bytes, gone: Gone) -> AnyReply:
        reply = await self._answer_line(line, gone)
        if not isinstance(reply, SubscribeRequest):
            return reply
        self.topics = frozenset(reply.topics)
        self._subscribed()
        return Done(id=reply.id)

    async def _reply(self, message: Hello | AnyReply) -> None:
        """Queue a line, and wait until it is written: a peer that does not read is not read."""
        self._queue.reply(encode(message))
        self._written.clear()
        self._filled.set()
        await self._written.wait()

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while (line := self._queue.take()) is not None:
                writer.write(line)
                async with asyncio.timeout(STALLED_S):
                    await writer.drain()
            self._written.set()
