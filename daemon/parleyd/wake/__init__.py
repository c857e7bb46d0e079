"""Wake words: one file per engine, each imported only when it is chosen."""

from typing import Protocol

from parleyd.units import Frames


class WakeEngine(Protocol):
    """Listens for keywords in a stream; one instance per stream, no I/O after creation."""

    name: str
    """The engine's name in logs: ``micro`` or ``porcupine``."""

    keywords: tuple[str, ...]
    """What it listens for, in the order of the configuration."""

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        """The keyword that ended in these frames, or None.

        `frames`: int16 mono at 16 kHz, any number of them, always the stream's next.
        `speaking`: Parley itself is talking, so the engine may use a lower threshold.
        Called from the audio thread every period; takes well under a millisecond.
        """
        ...

    def close(self) -> None:
        """Free the engine; may be called twice."""
        ...
