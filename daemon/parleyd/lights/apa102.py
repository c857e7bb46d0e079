"""APA102 and SK9822 LEDs (DotStar): clock and data at any speed."""

from parleyd import config
from parleyd.lights.spi import SpiLight

SPEED_HZ = 1_000_000  # the LEDs accept 20 MHz, but long wires and level shifters don't
FULL_CURRENT = 0xE0 | 31  # three ones and 5 bits of a second, slower dimming: it flickers on video


class Apa102(SpiLight):
    """A chain of APA102 LEDs: red, green and blue with 8 bits each."""

    def __init__(self, settings: config.LightsConfig) -> None:
        """Raises `LightsError` if the SPI device cannot be opened."""
        super().__init__(settings, encode, SPEED_HZ)


def encode(red: int, green: int, blue: int, leds: int) -> bytes:
    """Return the bytes for a whole chain of one colour (APA102 data sheet, "cascading data").

    The frame starts with 32 zero bits. Each LED forwards the data half a clock late, so the
    frame ends with half a bit for each LED. An SK9822 needs 32 more bits before those to show
    the colours.
    """
    end = bytes(4 + (leds + 15) // 16)
    return bytes(4) + bytes((FULL_CURRENT, blue, green, red)) * leds + end
