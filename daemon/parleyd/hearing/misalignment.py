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
        self._before: deque[float] = deque(maxlen=_PERIODS)  # powers of the microphone ...
        self._after: deque[float] = deque(maxlen=_PERIODS)  # ... behind the canceller ...
        self._echo: deque[float] = deque(maxlen=_PERIODS)  # ... and of what it subtracts
        self._in_a_row = 0
        self._waits = 0

    def update(self, period: CancelledBlock, echo_power: float) -> bool:
        """Take one period; return True once when the echo is found to have moved.

        `echo_power`: the sum of the squares of the estimated echo.
        """
        self._waits = max(0, self._waits - 1)
        if period.still:
            self._before.clear()
            self._after.clear()
            self._echo.clear()
            self.suspected = False
            return False
        left, removed = period.error, period.echo
        left_power = float(left.dot(left))
        both = left_power + echo_power + 2 * float(left.dot(removed))  # the microphone is their sum
        self._before.append(both)
        self._after.append(left_power)
        self._echo.append(echo_power)
        before, after, echo = sum(self._before), sum(self._after), sum(self._echo)
        audible = before > _AUDIBLE * _PERIODS and echo > _SHARE * before
        self.suspected = audible and after > _LOUDER * before
        self._in_a_row = self._in_a_row + 1 if self.suspected else 0
        if self._in_a_row < _IN_A_ROW or self._waits:
            return False
        self._waits = _AGAIN_PERIODS
        return True
