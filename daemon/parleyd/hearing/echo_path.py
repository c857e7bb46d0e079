"""What hearing learnt of a loudspeaker's way to a microphone, to be kept over a restart."""

from dataclasses import dataclass

import numpy as np

from parleyd.hearing.delay_estimator import LONGEST
from parleyd.hearing.echo_canceller import HOP, PARTITIONS
from parleyd.units import Floats

TAPS = PARTITIONS * HOP
_LOUDEST = 100.0  # power gain of an echo path, 20 dB: more is no echo path


@dataclass(frozen=True, slots=True)
class EchoMemory:
    """The echo path of one pair of cards; true until something is moved."""

    weights: Floats
    """Impulse response of the canceller, `TAPS` float32 at 16 kHz."""

    late: float
    """Frames (16 kHz) by which the reference is delayed before the canceller."""

    delay: float
    """Frames from handing a reference frame in to hearing it."""

    drift: float
    """Frames a frame by which the clocks drift apart."""

    @property
    def plausible(self) -> bool:
        """It can be an echo path: right size, finite, at most 20 dB of gain and 300 ms late."""
        numbers = np.array([self.late, self.delay, self.drift])
        finite = bool(np.isfinite(self.weights).all() and np.isfinite(numbers).all())
        return (
            self.weights.shape == (TAPS,)
            and finite
            and float(np.sum(self.weights**2)) < _LOUDEST
            and 0 <= self.late <= self.delay + HOP
            and self.delay <= LONGEST
            and abs(self.drift) < 1e-3
        )
