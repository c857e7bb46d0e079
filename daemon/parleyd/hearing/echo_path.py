"""The learned echo path from a loudspeaker to a microphone, which is saved over a restart."""

from dataclasses import dataclass

import numpy as np

from parleyd.hearing.delay_estimator import FARTHEST
from parleyd.hearing.echo_canceller import HOP, PARTITIONS
from parleyd.hearing.microphone_watch import Processing
from parleyd.units import Floats

TAPS = PARTITIONS * HOP
_LOUDEST = 100.0  # the largest power gain of an echo path, 20 dB


@dataclass(frozen=True, slots=True)
class EchoPath:
    """The echo path of one pair of cards; valid until one of them is moved."""

    weights: Floats
    """Impulse response of the canceller, `TAPS` float32 at 16 kHz."""

    late: float
    """Frames (16 kHz) by which the reference is delayed before the canceller."""

    delay: float
    """Frames from passing a reference frame to its echo."""

    drift: float
    """Frames per frame by which the clocks drift apart."""

    processing: Processing | None = None
    """What the microphone does to its sound; None for a plain one."""

    @property
    def plausible(self) -> bool:
        """Whether this can be an echo path: size, finite values, gain <= 20 dB, delay <= 2.7 s."""
        numbers = np.array([self.late, self.delay, self.drift])
        finite = bool(np.isfinite(self.weights).all() and np.isfinite(numbers).all())
        return (
            self.weights.shape == (TAPS,)
            and finite
            and float(np.sum(self.weights**2)) < _LOUDEST
            and 0 <= self.late <= self.delay + HOP
            and self.delay <= FARTHEST
            and abs(self.drift) < 1e-3
        )
