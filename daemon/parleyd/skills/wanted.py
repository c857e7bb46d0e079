"""What a request says about the timers and alarms that it means, and which ones fit."""

from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from parleyd.skills.alarms import Alarm, Kind, is_meant

Part = Literal["morning", "afternoon", "evening", "night"]
_PARTS = {"morning": (4, 12), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}
"""Their hours; from midnight on, those of the next day."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `cancel_timers`: an empty one was not said."""

    name: str = ""
    kind: Kind | None = None
    every: bool = False
    time: str = ""
    """Of an alarm: ``07:00``, or ``07:00 or 19:00``."""
    day: date | None = None
    part: Part | None = None
    seconds: int = 0
    """A timer's whole duration."""

    @property
    def told(self) -> bool:
        """Whether more was said than a name and a kind."""
        return bool(self.time or self.day or self.part or self.seconds)

    def fits(self, alarm: Alarm) -> bool:
        """Whether an alarm has everything that was said."""
        if not is_meant(alarm, self.name, self.kind):
            return False
        if alarm.timer:
            return not self.told or alarm.seconds == self.seconds > 0
        return not self.told or (self.seconds == 0 and self._rings(alarm))

    def _rings(self, alarm: Alarm) -> bool:
        due = datetime.fromtimestamp(alarm.due)
        clocks = [clock.zfill(5) for clock in self.time.split(" or ")]
        if self.time and f"{due:%H:%M}" not in clocks:
            return False
        if self.part is None:
            return self.day in (None, due.date())
        # A night is of the day on which it begins.
        first, end = _PARTS[self.part]
        begins = due - timedelta(hours=first)
        return begins.hour < end - first and self.day in (None, begins.date())
