"""One client's socket, driven by websockets, with bounds on its queues."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event

from parleyd.embedded.decoding import Frame as Message
from parleyd.embedded.decoding import Utf8
from parleyd.embedded.limits import (
    MOST_FRAGMENTS,
    MOST_UNHANDLED_BYTES,
    MOST_UNHANDLED_BYTES_OF_ALL,
    MOST_UNREAD_BYTES,
    MOST_VISITORS,
)

FRAME_COST = 300  # bytes that an empty frame takes here; measured 280
MESSAGES_MISCOUNTED = "websockets delivered a message that was never counted"


class Visitors:
    """All sockets of one server; those without a place make way for newer ones."""

    def __init__(self) -> None:
        self._all: dict[Visitor, None] = {}  # oldest first

    def __iter__(self) -> Iterator["Visitor"]:
        return iter(tuple(self._all))

    def came(self, visitor: "Visitor") -> None:
        self._all[visitor] = None
        waiting = [other for other in self._all if not other.has_place]
        for oldest in waiting[:-MOST_VISITORS]:
            oldest.drop()

    def left(self, visitor: "Visitor") -> None:
        self._all.pop(visitor, None)

    def shed(self) -> None:
        """Beyond `MOST_UNHANDLED_BYTES_OF_ALL`, drop the client that holds most of it."""
        held = {v: v.unhandled_bytes for v in self._all if not v.transport.is_closing()}
        if sum(held.values()) > MOST_UNHANDLED_BYTES_OF_ALL:
            max(held, key=held.__getitem__).drop()


class Visitor(ServerConnection):
    """A socket that is read only while few bytes wait to be handled.

    The queue of websockets counts frames, and a frame may have 20 MB or none; this one
    counts bytes. `receive` returns one message, `handled` makes room for others.
    """

    def __init__(self, *args: Any, visitors: Visitors, **options: Any) -> None:
        super().__init__(*args, **options)
        self.has_place = False
        self._visitors = visitors
        self._kinds: deque[Opcode] = deque()  # of the messages that have begun to arrive
        self._whole: deque[int] = deque()  # costs of complete messages that wait
        self._begun = 0  # the cost of the incomplete message
        self._fragments = 0
        self._handling = 0  # the cost of messages that are being handled
        self._reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._visitors.came(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._visitors.left(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Pongs are sent without a request, whether the client reads them or not.
        unread = self.transport.get_write_buffer_size() > 2 * MOST_UNREAD_BYTES
        if unread or self._fragments > MOST_FRAGMENTS:
            self.drop()
        self._visitors.shed()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self._count(event)
        super().process_event(event)

    async def receive(self) -> tuple[Message, int]:
        """Return the next message and its cost in bytes.

        Raises `ConnectionClosed`.
        """
        data = await self.recv(decode=False)
        assert self._whole, MESSAGES_MISCOUNTED
        cost = self._whole.popleft()
        self._handling += cost
        is_text = self._kinds.popleft() is Opcode.TEXT
        return Utf8(data) if is_text else data, cost

    def handled(self, cost: int) -> None:
        """Report that a message of `receive` is handled."""
        self._handling -= cost
        if not self._reading and self._waiting_bytes <= MOST_UNHANDLED_BYTES:
            self._reading = True
            self.transport.resume_reading()

    def drop(self) -> None:
        """Abort the connection without a closing handshake; unsent events are dropped."""
        self.transport.abort()

    @property
    def unhandled_bytes(self) -> int:
        """All received bytes that are not handled yet, including incomplete messages."""
        incomplete = self._begun + len(self.protocol.reader.buffer)
        return self._waiting_bytes + incomplete

    @property
    def _waiting_bytes(self) -> int:
        return self._handling + sum(self._whole)

    def _count(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._kinds.append(frame.opcode)
            self._fragments = 0
        self._fragments += 1
        self._begun += len(frame.data) + FRAME_COST
        if frame.fin:
            self._whole.append(self._begun)
            self._begun = self._fragments = 0
            if self._reading and self._waiting_bytes > MOST_UNHANDLED_BYTES:
                self._reading = False
                self.transport.pause_reading()
