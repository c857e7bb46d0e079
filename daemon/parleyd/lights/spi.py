"""Addressable LEDs on the kernel's SPI device; each LED type defines its own encoding."""

import fcntl
import os
import struct
from collections.abc import Callable

from parleyd import config
from parleyd.errors import LightsError
from parleyd.lights import Colour

# linux/spi/spidev.h: _IOW('k', 1, __u8), _IOW('k', 3, __u8), _IOW('k', 4, __u32)
WR_MODE, WR_BITS_PER_WORD, WR_MAX_SPEED_HZ = 0x40016B01, 0x40016B03, 0x40046B04
FULL = 255

Encode = Callable[[int, int, int, int], bytes]
"""Maps red, green, blue (0..255) and the number of LEDs to the bytes on the wire."""


class SpiLight:
    """A chain of LEDs that all show the same colour; a `LightOutput`.

    The chain is written only when the colour changes. A write blocks until the bytes are
    sent, well under 1 ms for a ring of twelve LEDs.
    """

    def __init__(self, settings: config.LightsConfig, encode: Encode, speed_hz: int) -> None:
        """Raises `LightsError` if the device cannot be opened or is not an SPI device."""
        self._encode = encode
        self._leds = settings.leds
        self._shown: tuple[int, int, int] | None = None  # the colour at power-on is unknown
        self._device = _open(settings.spi_device, speed_hz)

    def show(self, colour: Colour) -> None:
        """See `LightOutput.show`."""
        red, green, blue = (round(part * FULL) for part in colour)
        if (red, green, blue) != self._shown and self._device is not None:
            os.write(self._device, self._encode(red, green, blue, self._leds))
            self._shown = (red, green, blue)

    def close(self) -> None:
        """See `LightOutput.close`."""
        if self._device is None:
            return
        device, self._device = self._device, None
        try:
            os.write(device, self._encode(0, 0, 0, self._leds))
        finally:
            os.close(device)


def _open(path: str, speed_hz: int) -> int | None:
    try:
        device = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, WR_MODE, struct.pack("B", 0))
            fcntl.ioctl(device, WR_BITS_PER_WORD, struct.pack("B", 8))
            fcntl.ioctl(device, WR_MAX_SPEED_HZ, struct.pack("=I", speed_hz))
        except OSError:
            os.close(device)
            raise
    except OSError as error:
        raise LightsError(
            f'lights.spi_device = "{path}" cannot be driven ({error.strerror}); an SPI device is '
            "expected; set dtparam=spi=on in /boot/firmware/config.txt and join the group spi, "
            "or remove the setting. Parley runs without it."
        ) from None
    return device
