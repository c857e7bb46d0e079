"""The speaker's volume."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

STEP_PERCENT = 10
LOWEST_PERCENT = 5  # any quieter, and the user could not hear how to raise it again


class Volume:
    """The volume in percent; calls `apply` with each new value."""

    def __init__(self, percent: int, apply: Callable[[int], None]) -> None:
        self._percent = percent
        self._apply = apply

    @property
    def percent(self) -> int:
        """The present volume."""
        return self._percent

    @skill
    def set_volume(self, percent: Annotated[int, Meta(ge=0, le=100)]) -> str:
        """Set the loudness of this speaker."""
        return self._to(percent)

    @skill
    def change_volume(self, steps: Annotated[int, Meta(ge=-10, le=10)]) -> str:
        """Make this speaker louder (positive steps) or quieter (negative steps)."""
        return self._to(self._percent + STEP_PERCENT * steps)

    def _to(self, percent: int) -> str:
        self._percent = min(100, max(LOWEST_PERCENT, percent))
        self._apply(self._percent)
        return f"The volume is {self._percent} percent now."
