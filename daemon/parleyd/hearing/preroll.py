"""The pre-roll: the newest cleaned audio, from which the first syllable is sent later."""

import numpy as np

from parleyd.audio import FrameRing
from parleyd.units import MIC_RATE_HZ, Frames, ms_to_frames


class Preroll:
    """The last `capacity_ms` of a 16 kHz stream; drops the oldest frames, never grows."""

    def __init__(self, capacity_ms: int) -> None:
        self._ring = FrameRing(np.zeros(ms_to_frames(capacity_ms, MIC_RATE_HZ), np.int16))

    def push(self, frames: Frames) -> None:
        """Append the stream's next frames, any number of them."""
        self._ring.push_over(frames)

    def last(self, ms: float) -> Frames:
        """Return a copy of the newest `ms`, oldest first; less if less is stored."""
        return self._ring.newest(ms_to_frames(ms, MIC_RATE_HZ))

    def clear(self) -> None:
        """Remove all frames."""
        self._ring.clear()
