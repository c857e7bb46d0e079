"""The playback lead: how far ahead of the ear audio is written, and that it grows where it must."""

from parleyd.units import PERIOD_MS

MOST_GROWTH_MS = 40  # the card grants this much beyond what is configured
_STEP_MS = PERIOD_MS
_TOO_MANY = 3  # dropouts ...
_WITHIN_S = 10.0  # ... in this time: one stall of the machine is a single one
_SETTLE_S = 1.0  # after a step, before the next: until then the dropouts are those of before


class Lead:
    """The lead in force; owned by the audio thread, deterministic.

    Each dropout makes hearing distrust itself for a second, so that who has one in every
    second could not interrupt at all. It never shrinks: it would drop out again.
    """

    def __init__(self, ms: int) -> None:
        self.ms = ms
        """How far ahead audio is written, in ms."""
        self._most_ms = ms + MOST_GROWTH_MS
        self._dropouts: list[float] = []
        self._deaf_until = float("-inf")

    def dropped_out(self, now: float) -> bool:
        """The card lost sound (`now`: monotonic seconds); whether the lead has grown by it."""
        if now < self._deaf_until or self.ms >= self._most_ms:
            return False
        self._dropouts = [at for at in self._dropouts if at > now - _WITHIN_S] + [now]
        if len(self._dropouts) < _TOO_MANY:
            return False
        self._dropouts.clear()
        self._deaf_until = now + _SETTLE_S
        self.ms += _STEP_MS
        return True
