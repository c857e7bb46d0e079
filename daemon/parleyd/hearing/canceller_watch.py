"""Notice a canceller that does not cancel, and that it works again.

A delay that is unknown, beyond reach or jumping lets Parley's own voice through, and it
interrupts itself without end. The evidence is the canceller's own, never how often or how
soon a voice interrupts: the held sound resembles the playback, and the canceller removed
nothing of it.
"""

from collections import deque

from parleyd.hearing.barge_in import Decision
from parleyd.hearing.own_voice import OwnVoice

CHECK_PERIODS = 100  # of a reply, while the canceller is in doubt
_INTERRUPTION, _HOLD = 2, 1  # the weights of wrong decisions ...
_ENOUGH = 4  # ... and their least sum, within ...
_WITHIN_S = 60.0  # ... a minute: about two answers
_CHECKS = 4  # that must find the canceller working before a voice interrupts again, ...
_MOST_CHECKS = 32  # ... twice as many after each relapse
_STEADY_S = 600.0  # without a relapse: the delay has settled


class CancellerWatch:
    """Counts decisions about Parley's own voice; pure, owned by the audio thread."""

    def __init__(self) -> None:
        self.lost = False
        """Whether the canceller does not cancel, so that no voice may interrupt."""
        self.newest: OwnVoice | None = None
        """The evidence of the newest decision or check."""
        self._wrong: deque[tuple[float, int]] = deque(maxlen=_ENOUGH)
        self._periods = 0
        self._works = 0
        self._needed = _CHECKS
        self._found_at = float("-inf")

    def decided(self, decision: Decision, found: OwnVoice | None, now: float) -> bool:
        """Take the second decision about a hold; return whether the canceller is lost now."""
        self.newest = found
        if self.lost or found is None or not found.uncancelled:
            return False
        self._wrong.append((now, _INTERRUPTION if decision is Decision.INTERRUPT else _HOLD))
        if sum(weight for at, weight in self._wrong if at > now - _WITHIN_S) < _ENOUGH:
            return False
        self.lost = True
        relapse = now < self._found_at + _STEADY_S
        self._needed = min(2 * self._needed, _MOST_CHECKS) if relapse else _CHECKS
        self._wrong.clear()
        self._works = 0
        return True

    def due(self, *, in_doubt: bool) -> bool:
        """Count a period of a reply that is not held; return whether a check is due.

        `in_doubt`: the delay is not known.
        """
        if not (self.lost or in_doubt):
            return False
        self._periods = (self._periods + 1) % CHECK_PERIODS
        return self._periods == 0

    def checked(self, found: OwnVoice | None, now: float) -> bool:
        """Take the result of a check; return whether the canceller works again."""
        if found is None:
            return False
        self.newest = found
        self._works = self._works + 1 if found.cancelled else 0
        if not self.lost or self._works < self._needed:
            return False
        self.lost = False
        self._found_at = now
        return True
