"""Addressable LEDs: the exact bytes, with a file as the device."""

import fcntl
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from parleyd import config
from parleyd.errors import LightsError
from parleyd.lights import Colour
from parleyd.lights.apa102 import Apa102
from parleyd.lights.apa102 import encode as apa102
from parleyd.lights.factory import create
from parleyd.lights.ws2812 import RESET, Ws2812
from parleyd.lights.ws2812 import encode as ws2812


def test_apa102_bytes_of_three_leds() -> None:
    led = bytes([0xFF, 0x03, 0x02, 0x01])
    assert apa102(1, 2, 3, 3) == bytes(4) + led + led + led + bytes(5)


def test_apa102_ends_with_half_a_clock_for_each_led() -> None:
    for leds in (1, 16, 17, 64):
        end = apa102(255, 255, 255, leds)[4 + 4 * leds :]
        assert end == bytes(len(end))
        assert (len(end) - 4) * 8 >= leds / 2


def test_ws2812_bytes_of_one_led() -> None:
    # green 0xFF, red 0x00, blue 0xA5
    ones, zeros, mixed = "110" * 8, "100" * 8, "110100110100100110100110"
    wire = int(ones + zeros + mixed, 2).to_bytes(9, "big")
    assert ws2812(0, 255, 0xA5, 1) == b"\0" + wire + RESET


def test_ws2812_keeps_its_timing_and_reset() -> None:
    from parleyd.lights.ws2812 import SPEED_HZ

    sent = ws2812(1, 2, 3, 12)
    assert len(sent) == 1 + 12 * 9 + len(RESET)
    assert len(RESET) * 8 / SPEED_HZ >= 280e-6
    assert len(sent) <= 4096  # spidev's default buffer, one transfer


def test_spi_bytes_of_64_leds_fit_one_transfer() -> None:
    assert max(len(ws2812(1, 2, 3, 64)), len(apa102(1, 2, 3, 64))) <= 4096


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """The ioctl calls on the file that stands for the device."""
    calls: list[tuple[int, bytes]] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda _, request, value: calls.append((request, value)))
    return calls


def lights(device: Path, **changes: object) -> config.LightsConfig:
    device.touch()
    settings: Any = {"output": "apa102", "spi_device": str(device), "leds": 2, **changes}
    return config.LightsConfig(**settings)


def test_spi_light_writes_changes_and_dark_at_the_end(
    tmp_path: Path, asked: list[tuple[int, bytes]]
) -> None:
    device = tmp_path / "spidev0.0"
    light = Apa102(lights(device))
    assert asked == [
        (0x40016B01, b"\x00"), (0x40016B03, b"\x08"), (0x40046B04, struct.pack("=I", 1_000_000)),
    ]  # fmt: skip
    for _ in range(3):
        light.show(Colour(0.5, 0.25, 0.0))
    light.close()
    light.close()
    light.show(Colour(1.0, 1.0, 1.0))
    assert device.read_bytes() == apa102(128, 64, 0, 2) + apa102(0, 0, 0, 2)


def test_spi_light_writes_the_first_dark(tmp_path: Path, asked: list[tuple[int, bytes]]) -> None:
    device = tmp_path / "spidev0.0"
    light = Ws2812(lights(device))
    light.show(Colour(0.0, 0.0, 0.0))
    assert device.read_bytes() == ws2812(0, 0, 0, 2)
    light.close()


def test_create_opens_the_configured_chain(tmp_path: Path, asked: list[tuple[int, bytes]]) -> None:
    for output, kind in (("apa102", Apa102), ("ws2812", Ws2812)):
        light = create(lights(tmp_path / "spi", output=output))
        assert isinstance(light, kind)
        light.close()


def test_create_on_another_device_raises_and_leaves_it_closed(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(LightsError, match=r"cannot be driven \(Inappropriate ioctl"):
        create(lights(tmp_path / "file"))
    with pytest.raises(LightsError, match=r"No such file .* dtparam=spi=on"):
        create(config.LightsConfig(output="ws2812", spi_device=str(tmp_path / "none")))
    assert os.listdir("/proc/self/fd") == before
