"""One wake-up for each spoken word: engines fire several times for one word."""

from parleyd.units import Floats, Frames
from parleyd.wake import WakeEngine, WakeScore

WARY_SHARE = 0.25  # of the distance from the cutoff to 1: 0.95 instead of 0.8


class Gate:
    """Passes an engine's first detection, then none for `refractory_s`.

    The pause applies to all keywords together. Pure: `now` is in monotonic seconds.
    """

    def __init__(self, engine: WakeEngine, refractory_s: float) -> None:
        self._engine = engine
        self._refractory_s = refractory_s
        self._deaf_until = float("-inf")

    @property
    def score(self) -> WakeScore | None:
        """See `WakeEngine.score`."""
        return self._engine.score

    @property
    def bands(self) -> Floats | None:
        """See `WakeEngine.bands`."""
        return self._engine.bands

    def process(
        self, frames: Frames, now: float, speaking: bool, *, wary: bool = False
    ) -> str | None:
        """Return the keyword to act on, or None; `now`: the end of `frames`. Call every period.

        `wary`: another speaker is audible, so a detection needs a clearer score.
        """
        keyword = self._engine.process(frames, speaking=speaking)
        if keyword is None or now < self._deaf_until or (wary and self._unclear()):
            return None
        self._deaf_until = now + self._refractory_s
        return keyword

    def _unclear(self) -> bool:
        """The score is too low for a room with another speaker's voice; it may still rise."""
        score = self._engine.score  # none: an engine that only reports detections is believed
        return score is not None and 1 - score.score > WARY_SHARE * (1 - score.cutoff)
