"""WS2812 and SK6812 LEDs (NeoPixel) on the data line of SPI, which provides their timing."""

from parleyd import config
from parleyd.lights.spi import SpiLight

SPEED_HZ = 2_400_000  # three SPI bits encode one LED bit: 1.25 us, the data sheet's period
ONE, ZERO = 0b110, 0b100  # high for 0.83 us and 0.42 us; the data sheet's tolerance is 0.15 us
RESET = bytes(90)  # low for 300 us: newer WS2812B need 280 us before they show new colours


class Ws2812(SpiLight):
    """A chain of WS2812 LEDs: green, red and blue with 8 bits each."""

    def __init__(self, settings: config.LightsConfig) -> None:
        """Raises `LightsError` if the SPI device cannot be opened."""
        super().__init__(settings, encode, SPEED_HZ)


def encode(red: int, green: int, blue: int, leds: int) -> bytes:
    """Return the bytes for a whole chain of one colour.

    The first byte is zero, because the data line may idle high.
    """
    return bytes(1) + b"".join(_wire(part) for part in (green, red, blue)) * leds + RESET


def _wire(level: int) -> bytes:
    """Return eight LED bits, highest first, encoded as 24 SPI bits."""
    bits = 0
    for place in range(7, -1, -1):
        bits = bits << 3 | (ONE if level >> place & 1 else ZERO)
    return bits.to_bytes(3, "big")
