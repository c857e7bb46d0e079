"""APA102 and SK9822 LEDs (DotStar): clock and data, any speed."""

from parleyd import config
from parleyd.lights.spi import SpiLight

SPEED_HZ = 1_000_000  # the LEDs take 20 MHz; long wires and level shifters don't
FULL_CURRENT = 0xE0 | 31  # three ones, five bits of a slower dimming that flickers on video


class Apa102(SpiLight):
    """A chain of APA102: red, green and blue by 8 bits each."""

    def __init__(self, settings: config.Lights) -> None:
        """Raises `LightsError` when the SPI device cannot be opened."""
        super().__init__(settings, encode, SPEED_HZ)


def encode(red: int, green: int, blue: int, leds: int) -> bytes:
    """The bytes for a whole chain of one colour (APA102 data sheet, "cascading data").

    32 zero bits begin. Each LED passes the data on half a clock late, so half a bit a LED
    must follow; the 32 bits before that are what SK9822 needs to show anything.
    """
    end = bytes(4 + (leds + 15) // 16)
    return bytes(4) + bytes((FULL_CURRENT, blue, green, red)) * leds + end
