"""The speaker's volume."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

STEP_PERCENT = 10
LOWEST_PERCENT = 5  # any quieter, and the user could not hear how to raise it again


class Volume:
    """The volume in percent; calls `apply` with each new value.

    In quiet hours it is at most `quiet_percent`, and a value that is set then ends with them.
    """

    def __init__(
        self, percent: int, apply: Callable[[int], None], quiet_percent: int = 100
    ) -> None:
        self._day_percent, self._quiet_percent = percent, quiet_percent
        self._apply = apply
        self._quiet = False
        self._chosen: int | None = None  # in these quiet hours

    @property
    def percent(self) -> int:
        """The present volume, which answers have."""
        if not self._quiet:
            return self._day_percent
        if self._chosen is not None:
            return self._chosen
        return min(self._day_percent, self._quiet_percent)

    @property
    def day_percent(self) -> int:
        """The volume outside the quiet hours."""
        return self._day_percent

    def quiet_hours(self, quiet: bool) -> None:
        """The quiet hours have begun, or are over."""
        self._quiet, self._chosen = quiet, None

    @skill
    def set_volume(self, percent: Annotated[int, Meta(ge=0, le=100)]) -> str:
        """Set the loudness of this speaker."""
        return self._to(max(LOWEST_PERCENT, percent))

    @skill
    def change_volume(self, steps: Annotated[int, Meta(ge=-10, le=10)]) -> str:
        """Make this speaker louder (positive steps) or quieter (negative steps)."""
        now = self.percent
        lowest = LOWEST_PERCENT if steps > 0 else min(now, LOWEST_PERCENT)  # never louder
        return self._to(max(lowest, min(100, now + STEP_PERCENT * steps)))

    def _to(self, percent: int) -> str:
        if self._quiet:
            self._chosen = percent
        else:
            self._day_percent = percent
        self._apply(percent)
        return f"The volume is {percent} percent now."
