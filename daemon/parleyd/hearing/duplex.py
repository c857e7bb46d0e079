"""Whether this speaker can hear a user over itself at all, judged by what is left of its echo."""

from collections import deque

import numpy as np

from parleyd.hearing import HeardPeriod

AUDIBLE_DBFS = -55.0  # an echo below this tells nothing about the canceller
JUDGED_PERIODS = 600  # 6 s of audible echo: no user talks over half of that unnoticed
TOO_LOUD_DBFS = -30.0  # left of the echo: louder than users are at the microphone (-42..-32)
GOOD_AGAIN_DBFS = -36.0  # so much lower before voices are listened for again: no flutter


class Duplex:
    """Full duplex (a voice interrupts) or half duplex (only wake word and button do); pure.

    The median of what is left while the echo is audible is the residual echo: a user
    speaks over less than half of an answer.
    """

    def __init__(self) -> None:
        self.full = True
        """A voice may interrupt."""
        self.echo_left_dbfs = -120.0
        """The residual echo, as of the last judgement; -120 before the first."""
        self._left: deque[float] = deque(maxlen=JUDGED_PERIODS)

    def update(self, heard: HeardPeriod) -> bool:
        """Take one period in which nobody is suspected to speak; True when `full` changed."""
        if heard.echo_dbfs <= AUDIBLE_DBFS:
            return False
        self._left.append(heard.level_dbfs)
        if len(self._left) < JUDGED_PERIODS:
            return False
        self.echo_left_dbfs = _median(self._left)
        full = self.echo_left_dbfs < (TOO_LOUD_DBFS if self.full else GOOD_AGAIN_DBFS)
        changed = full != self.full
        if changed:
            self.full = full
            self._left.clear()  # judged anew, not from the same sounds
        return changed


def _median(levels: deque[float]) -> float:
    """Of many; `np.median` imports more of numpy at its first call, in the middle of an answer."""
    middle = len(levels) // 2
    return float(np.partition(np.fromiter(levels, float, len(levels)), middle)[middle])
