"""A part of every day, such as the night."""

from datetime import time


class DailySpan:
    """From one minute of the day to another: "22:00-07:00"; "" is no time at all.

    It includes its first minute, excludes its last, and may span midnight. Pure: setting the clock
    does no harm.
    """

    def __init__(self, text: str) -> None:
        begin, _, self.end = text.partition("-")
        self._span = (_minutes(begin), _minutes(self.end)) if self.end else (0, 0)

    def holds(self, local: time) -> bool:
        """Return whether this local time is in it."""
        begin, end = self._span
        now = local.hour * 60 + local.minute
        if begin <= end:
            return begin <= now < end
        return now >= begin or now < end


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
