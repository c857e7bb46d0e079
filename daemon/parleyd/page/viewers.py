"""The newest values for every open page: a slow browser gets fewer of them, never old ones."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

MOST_VIEWERS = 16
ALIVE_S = 20.0  # between signs of life, by which a browser that has gone is noticed


class Viewer:
    """One open page: the names of the values that it has not got yet."""

    def __init__(self, names: set[str]) -> None:
        self.waiting = names
        self.filled = asyncio.Event()


class Viewers:
    """All values, and the open pages; on the event loop. A viewer costs one set of names."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._viewers: set[Viewer] = set()
        self.changed = asyncio.Event()
        """A page was opened or closed."""
        self._ended = False

    @property
    def open(self) -> bool:
        """Whether a page is open."""
        return bool(self._viewers)

    @property
    def full(self) -> bool:
        """Whether no other page may be opened."""
        return len(self._viewers) >= MOST_VIEWERS

    def put(self, name: str, value: object) -> None:
        """Set a value; the same one again is not sent."""
        text = msgspec.json.encode(value)
        if self._values.get(name) == text:
            return
        self._values[name] = text
        for viewer in self._viewers:
            viewer.waiting.add(name)
            viewer.filled.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield server-sent events for one more page, until it is closed."""
        viewer = Viewer(set(self._values))
        viewer.filled.set()
        self._viewers.add(viewer)
        self.changed.set()
        try:
            while not self._ended:
                yield await self._next(viewer)
        finally:
            self._viewers.discard(viewer)
            self.changed.set()

    def end(self) -> None:
        """End every stream."""
        self._ended = True
        for viewer in self._viewers:
            viewer.filled.set()

    async def _next(self, viewer: Viewer) -> bytes:
        """The values that this viewer lacks, or a comment after a time without any."""
        try:
            async with asyncio.timeout(ALIVE_S):
                await viewer.filled.wait()
        except TimeoutError:
            return b":\n\n"
        viewer.filled.clear()
        names, viewer.waiting = sorted(viewer.waiting), set()
        return b"".join(b"event: %s\ndata: %s\n\n" % (n.encode(), self._values[n]) for n in names)
