"""The gate behind every engine: one word said is one word heard."""

from parleyd.units import Frames
from parleyd.wake import WakeEngine


class Gate:
    """Lets a keyword through once in `refractory_s`; engines fire a dozen times a word."""

    def __init__(self, engine: WakeEngine, refractory_s: float) -> None:
        self._engine = engine
        self._refractory_s = refractory_s
        self._closed_until = float("-inf")

    def process(self, frames: Frames, now: float, speaking: bool = False) -> str | None:
        """The keyword that ended in these frames (int16, 16 kHz), or None.

        The engine is always fed, so that it is warm when the gate opens again.
        """
        keyword = self._engine.process(frames, speaking=speaking)
        if keyword is None or now < self._closed_until:
            return None
        self._closed_until = now + self._refractory_s
        return keyword
