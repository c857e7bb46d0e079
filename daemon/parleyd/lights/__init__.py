"""Lights: patterns are pure functions of state and time; outputs put colours on hardware."""

from typing import NamedTuple, Protocol


class Colour(NamedTuple):
    """Linear light, each part 0.0 (dark) to 1.0 (full)."""

    red: float
    green: float
    blue: float


class LightOutput(Protocol):
    """Something that can shine; called from the event loop about 50 times a second."""

    def show(self, colour: Colour) -> None:
        """Put this colour on the hardware; returns at once, ignores what it already shows."""
        ...

    def close(self) -> None:
        """Go dark and free the hardware; may be called twice."""
        ...
