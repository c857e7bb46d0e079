"""The brightness of the lights by day and at night."""

from datetime import time

from parleyd import config
from parleyd.lights import Colour
from parleyd.system.daily_span import DailySpan


class Dimming:
    """A pure function of the time of day."""

    def __init__(self, lights: config.LightsConfig) -> None:
        self._day, self._night_level = lights.brightness, lights.night_brightness
        self._night = DailySpan(lights.night)

    def dimmed(self, colour: Colour, local: time) -> Colour:
        """Return the colour dimmed for this local time."""
        level = self._night_level if self._night.holds(local) else self._day
        red, green, blue = colour
        return Colour(red * level, green * level, blue * level)
