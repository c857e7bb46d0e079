"""The light output that the configuration selects."""

import os
import sys

from parleyd import config
from parleyd.errors import LightsError
from parleyd.lights import LightOutput


def obstacle(settings: config.LightsConfig) -> str:
    """Return why the output cannot be opened, as far as a check shows without opening it; or "".

    Pins are not checked, because a running daemon may hold them.
    """
    if settings.output in ("apa102", "ws2812") and not os.access(settings.spi_device, os.W_OK):
        return (
            f'lights.spi_device = "{settings.spi_device}" is not writable; an SPI device is '
            "expected; set dtparam=spi=on in /boot/firmware/config.txt and join the group spi"
        )
    if settings.output == "terminal" and not sys.stderr.isatty():
        return 'lights.output = "terminal": standard error is not a terminal; one is expected'
    return ""


def create(settings: config.LightsConfig) -> LightOutput | None:
    """Open the output; return None for "none". Raises `LightsError` if it cannot be driven."""
    if settings.output == "none":
        return None
    if settings.output == "terminal":
        if not sys.stderr.isatty():
            raise LightsError(
                'lights.output = "terminal": standard error is not a terminal; one is expected; '
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
