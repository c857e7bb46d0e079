"""Decide from the residual echo whether a user can be detected during playback at all."""

from bisect import bisect_left, insort
from collections import deque

from parleyd.audio import db_to_power
from parleyd.hearing import ProcessedPeriod

AUDIBLE_DBFS = -55.0  # a weaker echo does not show the canceller's performance
JUDGED_PERIODS = 600  # 6 s of audible echo: a user does not talk undetected for half of it
TOO_LOUD_DBFS = -30.0  # of residual echo: 8 dB over users in the middle of a room
OVER_USER_DB = 10.0  # of residual echo: half of the users are still noticed through it
GOOD_AGAIN_DB = 6.0  # hysteresis: full duplex returns that far below the limit
HARMLESS_PERIODS = 300  # 3 s of a reply, longer than its pauses
_NOTHING_DBFS = -120.0


class Duplex:
    """Full duplex (a voice interrupts) or half duplex (only wake word and button do); pure.

    The residual echo is the median of the cleaned level while the echo is audible, because a
    user speaks during less than half of a reply. An inaudible echo masks no user: it means
    full duplex, even after a different decision at a higher volume.
    """

    def __init__(self) -> None:
        self.full = True
        """Whether a voice may interrupt."""
        self.echo_left_dbfs = _NOTHING_DBFS
        """The residual echo at the last decision; -120 before the first."""
        self._too_loud_dbfs = TOO_LOUD_DBFS
        self._left: deque[float] = deque()
        self._ranked: list[float] = []  # the same, in order: a median in each period is cheap
        self._echo_power = 0.0
        self._levels: list[float] = []

    def update(self, heard: ProcessedPeriod) -> bool:
        """Process one period of a reply that is not held; return whether `full` changed."""
        if not self.full and self._harmless(heard):
            return self._change(True)
        if heard.echo_dbfs <= AUDIBLE_DBFS:
            return False
        self._left.append(heard.level_dbfs)
        insort(self._ranked, heard.level_dbfs)
        if len(self._left) < JUDGED_PERIODS:
            return False
        self.echo_left_dbfs = self._ranked[JUDGED_PERIODS // 2]
        del self._ranked[bisect_left(self._ranked, self._left.popleft())]
        full = self.echo_left_dbfs < self._limit_dbfs
        return full != self.full and self._change(full)

    def user_spoke(self, dbfs: float) -> None:
        """Account for the level of a user's turn at the microphone."""
        self._too_loud_dbfs = max(TOO_LOUD_DBFS, dbfs + OVER_USER_DB)

    def volume_changed(self, by_db: float) -> bool:
        """Account for a change of the replies' volume; return whether `full` changed.

        Levels at the old volume no longer count. When the volume falls, the residual echo falls
        by at least as much, because distortion falls faster. When the volume rises, the next
        replies decide.
        """
        self._forget()
        self.echo_left_dbfs += by_db
        lower = by_db < 0 and self.echo_left_dbfs < self._limit_dbfs
        return not self.full and lower and self._change(True)

    @property
    def _limit_dbfs(self) -> float:
        return self._too_loud_dbfs - (0.0 if self.full else GOOD_AGAIN_DB)

    def _harmless(self, heard: ProcessedPeriod) -> bool:
        """Return whether the last 3 s of replies had neither echo nor residual echo."""
        self._echo_power += db_to_power(heard.echo_dbfs)
        self._levels.append(heard.level_dbfs)
        if len(self._levels) < HARMLESS_PERIODS:
            return False
        inaudible = self._echo_power / HARMLESS_PERIODS < db_to_power(AUDIBLE_DBFS + 0.1)
        median_dbfs = sorted(self._levels)[HARMLESS_PERIODS // 2]
        lost = median_dbfs >= TOO_LOUD_DBFS  # an echo that the canceller has lost
        self._echo_power, self._levels = 0.0, []
        return inaudible and not lost

    def _change(self, full: bool) -> bool:
        self.full = full
        self._forget()  # the next decision uses only new sounds
        return True

    def _forget(self) -> None:
        self._left.clear()
        self._ranked.clear()
        self._echo_power, self._levels = 0.0, []
