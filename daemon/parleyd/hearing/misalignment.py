"""Notice that the echo has moved: the canceller subtracts an echo that is not there.

A good estimate of the echo makes the microphone quieter, with or without a user. One that is
late or early makes it louder. That shows within a tenth of a second, long before a new delay
can be estimated, and no driver has to report anything.
"""

from collections import deque

from parleyd.audio import db_to_power
from parleyd.hearing.echo_canceller import HOP, CancelledBlock

_PERIODS = 8  # 80 ms: less is a chance
_LOUDER = db_to_power(1.0)  # than the microphone: nothing else does that
_SHARE = db_to_power(-6.0)  # of the microphone's power: a weaker estimate shows nothing
_AUDIBLE = db_to_power(-60.0) * HOP
_IN_A_ROW = 3
_AGAIN_PERIODS = 150  # until it can be found again


class Misalignment:
    """Compares power before and after the canceller; pure, one `update` for each period."""

    def __init__(self) -> None:
        self.suspected = False
        """Whether the last 80 ms became louder."""
        self._powers: deque[tuple[float, float, float]] = deque(maxlen=_PERIODS)
        self._in_a_row = 0
        self._waits = 0

    def update(self, period: CancelledBlock) -> bool:
        """Take one period; return True once when the echo is found to have moved."""
        self._waits = max(0, self._waits - 1)
        if period.still:
            self._powers.clear()
            self.suspected = False
            return False
        left, removed = period.error, period.echo
        after, echo = float(left.dot(left)), float(removed.dot(removed))
        before = after + echo + 2 * float(left.dot(removed))  # the microphone is their sum
        self._powers.append((before, after, echo))
        before, after, echo = map(sum, zip(*self._powers, strict=True))
        audible = before > _AUDIBLE * _PERIODS and echo > _SHARE * before
        self.suspected = audible and after > _LOUDER * before
        self._in_a_row = self._in_a_row + 1 if self.suspected else 0
        if self._in_a_row < _IN_A_ROW or self._waits:
            return False
        self._waits = _AGAIN_PERIODS
        return True
