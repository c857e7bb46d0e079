"""The audio that the client has appended and that belongs to no item yet."""

from parleyd.units import SERVER_RATE_HZ, frames_to_ms, ms_to_frames

FRAME_BYTES = 2
MOST_MS = 120_000  # two minutes of one turn; a longer turn loses its beginning


class InputBuffer:
    """PCM16 at 24 kHz; positions are milliseconds since the session's first audio."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._start = 0  # frames of the session before the first one in the buffer

    @property
    def end_ms(self) -> int:
        """The position after the newest frame."""
        return frames_to_ms(self._start + len(self._pcm) // FRAME_BYTES, SERVER_RATE_HZ)

    @property
    def held_ms(self) -> float:
        """The duration of the buffered audio."""
        return len(self._pcm) / FRAME_BYTES * 1000 / SERVER_RATE_HZ

    def append(self, pcm: bytes) -> None:
        """Add whole frames; drop the oldest ones beyond `MOST_MS`."""
        self._pcm += pcm
        self.drop_before(self.end_ms - MOST_MS)

    def drop_before(self, at_ms: int) -> None:
        """Drop the audio before this position."""
        drop = ms_to_frames(at_ms, SERVER_RATE_HZ) - self._start
        if drop > 0:
            drop = min(drop, len(self._pcm) // FRAME_BYTES)
            del self._pcm[: drop * FRAME_BYTES]
            self._start += drop

    def start_at(self, at_ms: int) -> int:
        """`at_ms`, or the oldest buffered position if that is later."""
        return max(at_ms, frames_to_ms(self._start, SERVER_RATE_HZ))

    def between(self, start_ms: int, end_ms: int) -> bytes:
        """A copy of the buffered audio from `start_ms` to `end_ms`."""
        first = max(0, ms_to_frames(start_ms, SERVER_RATE_HZ) - self._start)
        last = max(0, ms_to_frames(end_ms, SERVER_RATE_HZ) - self._start)
        return bytes(self._pcm[first * FRAME_BYTES : last * FRAME_BYTES])

    def take_all(self) -> bytes:
        """Return all buffered audio and empty the buffer."""
        pcm = bytes(self._pcm)
        self._start += len(pcm) // FRAME_BYTES
        self._pcm.clear()
        return pcm
