"""Simulated network faults: a TCP proxy on loopback that delays, throttles and cuts.

A weather's effect on the bytes is a pure function of time. The proxy keeps their order, like
TCP, and finds the ends of WebSocket messages, so that it can cut exactly there.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

SEGMENT = 1460  # bytes; of TCP over Ethernet
IN_FLIGHT = 45  # segments in flight: 64 kB, a usual receive window

Span = tuple[float, float]
"""Start and end, in seconds since the weather began."""

Cut = tuple[str, int]
"""The message before the cut: direction and type as in `Network.passed`, and its number."""


@dataclass(frozen=True)
class Weather:
    """Faults of a connection in both directions, from second 0 on; calm afterwards."""

    still: tuple[Span, ...] = ()
    """Nothing passes; data sent in the meantime arrives together at the end."""
    late: tuple[Span, ...] = ()
    """Data arrives `late_s` later."""
    late_s: float = 0.0
    slow: Span = (0.0, 0.0)
    """At most `slow_bytes_per_s` pass."""
    slow_bytes_per_s: float = 64_000 / 8

    @property
    def ends_s(self) -> float:
        """The time of the last fault's end; data in flight may still be late."""
        return max(end for _, end in (*self.still, *self.late, self.slow))

    def arrival(self, sent: float, size: int, before: float) -> float:
        """Return the arrival of `size` bytes; `before`: the arrival of the previous bytes."""
        begin = max(sent, before)
        if self.slow[0] <= begin < self.slow[1]:
            begin += size / self.slow_bytes_per_s
        if any(start <= sent < end for start, end in self.late):
            begin = max(begin, sent + self.late_s)
        for start, end in self.still:
            if start <= begin < end:
                begin = end
        return begin


CALM = Weather()


def spans(seed: int, lengths_s: Span, share: float, lasting_s: float) -> tuple[Span, ...]:
    """Draw spans of random length that together cover a share of `lasting_s`."""
    chance = random.Random(seed)
    found: list[Span] = []
    now = 0.0
    while True:
        length = chance.uniform(*lengths_s)
        start = now + length * (1 / share - 1) * chance.uniform(0.5, 1.5)
        now = start + length
        if now > lasting_s:
            return tuple(found)
        found.append((start, now))


@dataclass
class Network:
    """The network between one server (`port` on this machine) and the clients of `here`."""

    port: int
    here: int = 0
    weather: Weather = CALM
    passed: list[str] = field(default_factory=list)
    """Every delivered message, in order: "> type" up, "< type" down."""
    cut_behind: Cut | None = None
    """Where to cut the connection; once."""
    _began: float = 0.0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator["Network"]:
        async with await asyncio.start_server(self._connect, "127.0.0.1", 0) as server:
            self.here = server.sockets[0].getsockname()[1]
            yield self
            self.cut()

    def begin(self, weather: Weather) -> None:
        """Begin a new weather now."""
        self.weather, self._began = weather, asyncio.get_running_loop().time()

    def cut(self) -> None:
        """End every connection, like a restarting router; delivered data stays delivered."""
        for writer in self._writers:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.gather(
                self._carry(reader, far_writer, ">"), self._carry(far_reader, writer, "<")
            )
        finally:
            self._writers -= ends

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        delivery = asyncio.create_task(self._deliver(line, writer, way))
        at = 0.0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(SEGMENT):
                sent = asyncio.get_running_loop().time() - self._began
                at = self._began + self.weather.arrival(sent, len(data), at - self._began)
                await line.put((at, data))
        await line.put((at, b""))
        await delivery

    async def _deliver(
        self, line: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter, way: str
    ) -> None:
        messages = Messages()
        while data := await self._next(line):
            if writer.is_closing():
                continue  # lost with the connection
            for end, kind in messages.feed(data):
                self.passed.append(f"{way} {kind}")
                if (self.passed[-1], self.passed.count(self.passed[-1])) == self.cut_behind:
                    self.cut_behind = None
                    writer.write(data[:end])
                    self.cut()
                    break
            else:
                writer.write(data)
        writer.close()

    async def _next(self, line: "asyncio.Queue[tuple[float, bytes]]") -> bytes:
        at, data = await line.get()
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
        return data


class Messages:
    """Finds the ends of WebSocket text messages in a stream of bytes (RFC 6455, section 5.2)."""

    def __init__(self) -> None:
        self._kept = bytearray()  # of an incomplete frame, or of the initial HTTP header
        self._upgraded = False

    def feed(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield each text message completed by `data`: its end as an offset, and its type."""
        before = len(self._kept)
        self._kept += data
        taken = 0
        if not self._upgraded:
            end = self._kept.find(b"\r\n\r\n")
            if end < 0:
                return
            self._upgraded, taken = True, end + 4
        while (frame := _frame(self._kept, taken)) is not None:
            taken, text = frame
            if text is not None:
                yield taken - before, _type(text)
        del self._kept[:taken]


def _frame(data: bytearray, start: int) -> tuple[int, bytes | None] | None:
    """Return the end of the frame at `start` and its first bytes if text; None: incomplete."""
    if len(data) < start + 2:
        return None
    short = data[start + 1] & 0x7F
    more = {126: 2, 127: 8}.get(short, 0)
    body = start + 2 + more
    size = int.from_bytes(data[start + 2 : body]) if more else short
    mask = b""
    if data[start + 1] & 0x80:
        mask, body = bytes(data[body : body + 4]), body + 4
    if len(data) < body + size:
        return None
    text = bytes(data[body : body + min(size, 100)])
    if mask:
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
    return body + size, text if data[start] & 0x0F == 1 else None


def _type(text: bytes) -> str:
    """Return the event's type; both ends of these tests write it first."""
    found = re.match(rb'\{"type": ?"([\w.]+)"', text)
    return found[1].decode() if found else "?"
