"""Rates, periods and array types that every room shares.

Frames are mono int16 unless a docstring says otherwise. Durations carry their
unit in the name: ``_ms``, ``_s``, ``_frames``; rates end in ``_hz``.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int16]
"""Mono PCM, one int16 per frame."""

Floats = NDArray[np.float32]
"""Mono PCM or spectra as float32, full scale 1.0."""

MIC_RATE_HZ = 16_000  # what every canceller, voice detector and wake word works at
PERIOD_MS = 10  # the heartbeat: short enough that reaction is bound by hearing, not by the clock
MIC_PERIOD_FRAMES = MIC_RATE_HZ * PERIOD_MS // 1000

SERVER_RATE_HZ: Final = 24_000  # the only PCM rate of the realtime protocol

SILENCE: Frames = np.zeros(0, np.int16)
"""No frames at all."""


def frames_to_ms(frames: int, rate_hz: int) -> int:
    """Whole milliseconds in `frames`, rounded down: never more than was there."""
    return frames * 1000 // rate_hz


def ms_to_frames(ms: float, rate_hz: int) -> int:
    """Whole frames in `ms`, rounded down."""
    return int(ms * rate_hz) // 1000
