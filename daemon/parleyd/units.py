"""Rates, periods and array types that all packages share.

Frames are mono int16 unless a docstring says otherwise. Names of durations end in their unit:
``_ms``, ``_s``, ``_frames``; names of rates end in ``_hz``.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int16]
"""Mono PCM, one int16 per frame."""

Floats = NDArray[np.float32]
"""Mono PCM or spectra as float32, full scale 1.0."""

MIC_RATE_HZ = 16_000  # the rate of canceller, voice detector and wake-word engines
PERIOD_MS = 10  # short enough that the hearing, not the period, limits the reaction time
MIC_PERIOD_FRAMES = MIC_RATE_HZ * PERIOD_MS // 1000

SERVER_RATE_HZ: Final = 24_000  # the only PCM rate of the realtime protocol

SILENCE: Frames = np.zeros(0, np.int16)
"""An array without frames."""


def frames_to_ms(frames: int, rate_hz: int) -> int:
    """Return the whole milliseconds in `frames`, rounded down."""
    return frames * 1000 // rate_hz


def ms_to_frames(ms: float, rate_hz: int) -> int:
    """Return the whole frames in `ms`, rounded down."""
    return int(ms * rate_hz) // 1000
