"""One word, one wake-up: engines fire many times for a word that is said once."""

from parleyd.units import Frames
from parleyd.wake import WakeEngine


class Gate:
    """Lets the first of an engine's firings through, then none for `refractory_s`.

    The time counts for all keywords together. Pure: `now` is seconds, monotonic.
    """

    def __init__(self, engine: WakeEngine, refractory_s: float) -> None:
        self._engine = engine
        self._refractory_s = refractory_s
        self._deaf_until = float("-inf")

    def process(self, frames: Frames, now: float, speaking: bool) -> str | None:
        """The keyword to act on, or None; `now` is when `frames` ended. Call every period."""
        keyword = self._engine.process(frames, speaking=speaking)
        if keyword is None or now < self._deaf_until:
            return None
        self._deaf_until = now + self._refractory_s
        return keyword
