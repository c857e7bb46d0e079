"""The brightness of the lights by day and at night."""

from datetime import time

from parleyd import config
from parleyd.lights import Colour


class Dimming:
    """A pure function of the time of day, so setting the clock does no harm.

    The night includes its first minute, excludes its last and may span midnight.
    """

    def __init__(self, lights: config.LightsConfig) -> None:
        self._day, self._night = lights.brightness, lights.night_brightness
        begin, _, end = lights.night.partition("-")
        self._span = (_minutes(begin), _minutes(end)) if end else (0, 0)

    def dimmed(self, colour: Colour, local: time) -> Colour:
        """Return the colour dimmed for this local time."""
        level = self._night if self.is_night(local) else self._day
        red, green, blue = colour
        return Colour(red * level, green * level, blue * level)

    def is_night(self, local: time) -> bool:
        """Return whether it is night at this local time."""
        begin, end = self._span
        now = local.hour * 60 + local.minute
        if begin <= end:
            return begin <= now < end
        return now >= begin or now < end


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
