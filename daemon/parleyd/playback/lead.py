"""The playback lead: how far ahead audio is written to the card; it grows after xruns."""

from parleyd.units import PERIOD_MS

MOST_GROWTH_MS = 40  # the card's buffer has this much room beyond the configured lead
_STEP_MS = PERIOD_MS
_TOO_MANY = 3  # xruns ...
_WITHIN_S = 10.0  # ... in this time: one stall of the machine causes a single xrun
_SETTLE_S = 1.0  # from one step to the next: xruns before that belong to the previous lead


class Lead:
    """The current lead; owned by the audio thread, deterministic.

    Detection is suspended for 1 s after each xrun, so one xrun a second would disable
    barge-in. The lead never shrinks, because the xruns would return.
    """

    def __init__(self, ms: int) -> None:
        self.ms = ms
        """How far ahead audio is written, in ms."""
        self._most_ms = ms + MOST_GROWTH_MS
        self._dropouts: list[float] = []
        self._deaf_until = float("-inf")

    def dropped_out(self, now: float) -> bool:
        """Count an xrun (`now`: monotonic seconds); return whether the lead has grown."""
        if now < self._deaf_until or self.ms >= self._most_ms:
            return False
        self._dropouts = [at for at in self._dropouts if at > now - _WITHIN_S] + [now]
        if len(self._dropouts) < _TOO_MANY:
            return False
        self._dropouts.clear()
        self._deaf_until = now + _SETTLE_S
        self.ms += _STEP_MS
        return True
