"""Whole messages from a WebSocket, at a rate that leaves the audio thread enough time."""

import asyncio
import time
from collections.abc import AsyncIterator

import websockets.asyncio.client as client
from websockets.frames import CloseCode

from parleyd.realtime.pace import Pace

# LocalAI sends a synthesized answer as one message: a minute of speech is 3.8 MB, and its item
# repeats it. All other messages are far smaller; the largest recorded one has 1.5 kB.
BIGGEST_MESSAGE = 4 * 1024 * 1024
MOST_FRAGMENTS = 4096  # per message: 4 MiB in pieces of 1 KiB
PIECE_BYTES = 4096  # parsed between checks of the clock: 200 of the smallest frames, 4 ms


class PacedConnection(client.ClientConnection):
    """Parses and delivers no more than `Pace` allows; the rest waits, here and in the network."""

    _pace: Pace | None = None
    _unread = b""
    _resting = False

    def data_received(self, data: bytes) -> None:
        """Parse as much as there is time for."""
        self._unread += data
        if self._resting:
            self.transport.pause_reading()
        else:
            self._parse()

    def eof_received(self) -> None:
        """Parse the remaining bytes first."""
        self._parse_all()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Parse the remaining bytes first."""
        self._parse_all()
        super().connection_lost(exc)

    def rest_s(self, used_s: float) -> float:
        """How long to rest after work of `used_s` for this connection."""
        now = self.loop.time()
        self._pace = self._pace or Pace(now)
        return self._pace.wait_s(used_s, now)

    def _parse(self) -> None:
        self._resting = False
        while self._unread:
            piece, self._unread = self._unread[:PIECE_BYTES], self._unread[PIECE_BYTES:]
            began = time.thread_time()
            super().data_received(piece)
            rest_s = self.rest_s(time.thread_time() - began)
            if rest_s and self._unread:
                self._resting = True
                self.transport.pause_reading()
                self.loop.call_later(rest_s, self._parse)
                return
        if not self.recv_messages.paused:
            self.transport.resume_reading()

    def _parse_all(self) -> None:
        data, self._unread = self._unread, b""
        if data:
            super().data_received(data)


async def messages(socket: PacedConnection) -> AsyncIterator[bytes]:
    """Yield every message, text or binary, undecoded, until the socket closes.

    A message with too many fragments closes the socket, like one that is too big (1009). Raises
    websockets.ConnectionClosed at the end.
    """
    while True:
        fragments = [part async for part in _limited(socket)]
        began = time.thread_time()
        yield fragments[0] if len(fragments) == 1 else b"".join(fragments)
        if rest_s := socket.rest_s(time.thread_time() - began):
            await asyncio.sleep(rest_s)


async def _limited(socket: PacedConnection) -> AsyncIterator[bytes]:
    number = 0
    async for part in socket.recv_streaming(decode=False):
        number += 1
        if number > MOST_FRAGMENTS:
            await socket.close(CloseCode.MESSAGE_TOO_BIG, f"more than {MOST_FRAGMENTS} fragments")
        else:
            yield part


def refused_message(socket: PacedConnection) -> str:
    """Why Parley closed the socket because of a message, in words; "" if it did not."""
    close = socket.protocol.close_sent
    if close is None or close.code != CloseCode.MESSAGE_TOO_BIG:
        return ""
    most = BIGGEST_MESSAGE // 1024 // 1024
    return f"the server sent a message of more than {most} MiB, or in too many fragments"
