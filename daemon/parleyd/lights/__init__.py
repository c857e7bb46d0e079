"""Lights: patterns are pure functions of state and time; outputs show colours on hardware."""

from typing import NamedTuple, Protocol


class Colour(NamedTuple):
    """Linear light, each part 0.0 (dark) to 1.0 (full)."""

    red: float
    green: float
    blue: float


class LightOutput(Protocol):
    """A light; the event loop calls it up to 50 times a second."""

    def show(self, colour: Colour) -> None:
        """Show this colour on the hardware; returns at once, ignores an unchanged colour."""
        ...

    def close(self) -> None:
        """Switch the light off and free the hardware; may be called twice."""
        ...
