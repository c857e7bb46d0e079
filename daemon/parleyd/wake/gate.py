"""One wake-up for each spoken word: engines fire several times for one word."""

from parleyd.units import Frames
from parleyd.wake import WakeEngine, WakeScore


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

    def process(self, frames: Frames, now: float, speaking: bool) -> str | None:
        """Return the keyword to act on, or None; `now`: the end of `frames`. Call every period."""
        keyword = self._engine.process(frames, speaking=speaking)
        if keyword is None or now < self._deaf_until:
            return None
        self._deaf_until = now + self._refractory_s
        return keyword
