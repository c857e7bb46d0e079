"""The light output that the configuration asks for."""

import sys

from parleyd import config
from parleyd.errors import LightsError
from parleyd.lights import LightOutput


def create(settings: config.Lights) -> LightOutput | None:
    """Open the output; None for "none". Raises `LightsError` when it cannot be driven."""
    if settings.output == "none":
        return None
    if settings.output == "terminal":
        if not sys.stderr.isatty():
            raise LightsError(
                'lights.output = "terminal": standard error is no terminal, one is expected; '
                'start Parley in a terminal or use "led", "rgb" or "none". '
                "Parley runs without lights."
            )
        from parleyd.lights.terminal import TerminalLight

        return TerminalLight(sys.stderr)

    if settings.output == "apa102":
        from parleyd.lights.apa102 import Apa102

        return Apa102(settings)
    if settings.output == "ws2812":
        from parleyd.lights.ws2812 import Ws2812

        return Ws2812(settings)

    from parleyd.lights.gpio import Led, RgbLed

    return Led(settings) if settings.output == "led" else RgbLed(settings)
