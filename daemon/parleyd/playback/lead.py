"""The playback lead: how far ahead audio is written to the card; it grows after xruns."""

from parleyd.units import PERIOD_MS

MOST_GROWTH_MS = 40  # the card's buffer has this much room beyond the configured lead
_STEP_MS = PERIOD_MS
_TOO_MANY = 3  # xruns ...
_WITHIN_S = 10.0  # ... in this time: one stall of the machine causes a single xrun
_SETTLE_S = 1.0  # from one step to the next: xruns before that belong to the previous lead


class PlaybackLead:
    """The current lead; owned by the audio thread, deterministic.

    Detection is suspended for 1 s after each xrun, so one xrun a second would disable
    barge-in. The lead never shrinks, because the xruns would return.
    """

    def __init__(self, ms: int) -> None:
        self.ms = ms
        """How far ahead audio is written, in ms."""
        self._most_ms = ms + MOST_GROWTH_MS
        self._xruns: list[float] = []
        self._deaf_until = float("-inf")

    def on_xrun(self, now: float) -> bool:
        """Count an xrun (`now`: monotonic seconds); return whether the lead has grown."""
        if now < self._deaf_until or self.ms >= self._most_ms:
            return False
        self._xruns = [at for at in self._xruns if at > now - _WITHIN_S] + [now]
        if len(self._xruns) < _TOO_MANY:
            return False
        self._xruns.clear()
        self._deaf_until = now + _SETTLE_S
        self.ms += _STEP_MS
        return True
