"""The pre-roll: the newest cleaned audio, so that the first syllable can be sent late."""

import numpy as np

from parleyd.audio import FrameRing
from parleyd.units import MIC_RATE_HZ, Frames, ms_to_frames


class Preroll:
    """The last `capacity_ms` of a 16 kHz stream; drops the oldest frames, never grows."""

    def __init__(self, capacity_ms: int) -> None:
        self._ring = FrameRing(np.zeros(ms_to_frames(capacity_ms, MIC_RATE_HZ), np.int16))

    def push(self, frames: Frames) -> None:
        """Add the stream's next frames, any number of them."""
        self._ring.push_over(frames)

    def last(self, ms: float) -> Frames:
        """The newest `ms` as a copy, oldest first; less if less was pushed or fits."""
        return self._ring.newest(ms_to_frames(ms, MIC_RATE_HZ))

    def clear(self) -> None:
        """Forget all frames."""
        self._ring.clear()
