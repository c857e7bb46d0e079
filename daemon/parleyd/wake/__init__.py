"""Wake words: one file per engine, which is imported only when it is chosen."""

from typing import NamedTuple, Protocol

from parleyd.units import Floats, Frames


class WakeScore(NamedTuple):
    """How near an engine is to a detection."""

    score: float
    """0 to 1, the highest of its keywords."""
    cutoff: float
    """A higher score is a detection."""


class WakeEngine(Protocol):
    """Detects keywords in a stream; one instance per stream, no I/O after creation."""

    name: str
    """The engine's name in logs: ``micro`` or ``porcupine``."""

    keywords: tuple[str, ...]
    """The detected keywords, in the order of the configuration."""

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        """Return the keyword that ended in these frames, or None.

        `frames`: the stream's next frames, int16 mono at 16 kHz, any number.
        `speaking`: whether a reply plays, so the engine may use a lower threshold.
        The audio thread calls this every period; a call takes well under a millisecond.
        """
        ...

    @property
    def score(self) -> WakeScore | None:
        """The score of the newest frames; None if the engine gives none."""
        ...

    @property
    def bands(self) -> Floats | None:
        """The levels in 40 bands that microWakeWord takes from the newest 10 ms; None if the engine
        computes others. The next `process` may change the array."""
        ...

    def close(self) -> None:
        """Free the engine; may be called twice."""
        ...
