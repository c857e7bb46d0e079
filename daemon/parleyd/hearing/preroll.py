"""The pre-roll: the newest moments of audio, so that the first syllable can be sent late."""

import numpy as np

from parleyd.units import MIC_RATE_HZ, Frames, ms_to_frames


class Preroll:
    """A ring of the last `capacity_ms` of a 16 kHz stream; drops the oldest, never grows."""

    def __init__(self, capacity_ms: int) -> None:
        self._ring = np.zeros(ms_to_frames(capacity_ms, MIC_RATE_HZ), np.int16)
        self._next = 0
        self._filled = 0

    def push(self, frames: Frames) -> None:
        """Add the stream's next frames, any number of them."""
        frames = frames[-len(self._ring) :]
        head, tail = np.split(frames, [len(self._ring) - self._next])
        self._ring[self._next : self._next + len(head)] = head
        self._ring[: len(tail)] = tail
        self._next = (self._next + len(frames)) % len(self._ring)
        self._filled = min(self._filled + len(frames), len(self._ring))

    def last(self, ms: float) -> Frames:
        """The newest `ms` as a copy, oldest first; less when less was pushed or fits."""
        count = min(ms_to_frames(ms, MIC_RATE_HZ), self._filled)
        start = self._next - count
        if start >= 0:
            return self._ring[start : self._next].copy()
        return np.concatenate([self._ring[start:], self._ring[: self._next]])

    def clear(self) -> None:
        """Forget everything pushed so far."""
        self._filled = 0
