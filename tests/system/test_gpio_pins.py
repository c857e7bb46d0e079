"""gpiozero on lgpio: the choice of the factory, and recovery from a lost chip."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gpiozero import Device, GPIOPinInUse
from gpiozero.pins.mock import MockFactory

from parleyd.errors import LightsError
from parleyd.system import gpio_pins
from parleyd.system.gpio_pins import pins


class LgpioError(Exception):
    """Stands for lgpio.error, which has no other base than Exception."""


class Lgpio(ModuleType):
    """The part of lgpio that reports chips; the handle of a lost chip stays lost."""

    error = LgpioError

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.lost: set[int] = set()
        self.closed: list[int] = []
        self.labels: dict[int, str] = {}

    def gpiochip_open(self, number: int) -> int:
        if number not in self.labels:
            raise LgpioError("can not open gpiochip")
        return number

    def gpio_get_chip_info(self, handle: int) -> list[object]:
        if handle in self.lost:
            raise LgpioError("bad chip info ioctl")
        return [0, 28, f"gpiochip{handle}", self.labels.get(handle, "pinctrl-bcm2711")]

    def gpiochip_close(self, handle: int) -> None:
        self.closed.append(handle)


class LGPIOFactory(MockFactory):  # the code under test checks only its name
    def __init__(self, handle: int) -> None:
        super().__init__()
        self._handle: int | None = handle


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lgpio]:
    module = Lgpio()
    monkeypatch.setitem(sys.modules, "lgpio", module)
    before = Device.pin_factory
    yield module
    Device.pin_factory = before


def fail(error: Exception) -> str:
    with pytest.raises(LightsError) as caught, pins("buttons.mute_pin = 24"):
        raise error
    return str(caught.value)


def test_pins_after_a_lost_chip_open_it_again(lgpio: Lgpio) -> None:
    lost = LGPIOFactory(3)
    Device.pin_factory = lost
    lost.pin(24)
    lgpio.lost.add(3)
    assert "bad read" in fail(LgpioError("bad read"))
    assert Device.pin_factory is None
    assert (lgpio.closed, lost._handle, lost.pins) == ([3], None, {})


def test_pins_with_a_busy_pin_keep_the_chip(lgpio: Lgpio) -> None:
    factory = LGPIOFactory(3)
    Device.pin_factory = factory
    text = fail(LgpioError("GPIO busy"))
    assert Device.pin_factory is factory
    assert lgpio.closed == []
    assert "end the other program, or choose another pin" in text


def test_pins_never_close_another_factory(lgpio: Lgpio) -> None:
    factory = MockFactory()
    Device.pin_factory = factory
    fail(GPIOPinInUse("pin GPIO24 is already in use by <gpiozero.LED object>"))
    assert Device.pin_factory is factory


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        ({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"}, 0),  # a Pi 4
        ({0: "gpio-brcmstb@107d508500", 4: "pinctrl-rp1"}, 4),  # a Pi 5 before Linux 6.6.45
        ({0: "pinctrl-rp1", 4: "ft232h-gpio", 10: "gpio-brcmstb@107d508500"}, 0),
        ({10: "gpio-brcmstb@107d508500", 14: "pinctrl-rp1"}, 14),
        ({1: "pinctrl-bcm2835"}, 1),  # the chip returned while its old handle was open
        ({0: "ft232h-gpio"}, None),
        ({}, None),
    ],
)
def test_header_chip_is_found_by_its_label(
    labels: dict[int, str],
    number: int | None,
    lgpio: Lgpio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lgpio.labels = labels
    for chip in [*labels, 7]:  # chip 7 cannot be opened
        (tmp_path / f"gpiochip{chip}").touch()
    monkeypatch.setattr(gpio_pins, "CHIPS", tmp_path)
    assert gpio_pins._header_chip() == number
    assert len(lgpio.closed) == len(set(lgpio.closed))


def test_pins_without_lgpio_raise_and_do_not_fall_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """gpiozero's own fallback is a factory that sets no pull-up on a Pi 4."""
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setitem(sys.modules, "lgpio", None)
    tried: list[Any] = []
    monkeypatch.setattr(Device, "_default_pin_factory", lambda: tried.append(1))
    with pytest.raises(LightsError, match="lgpio"), pins("lights.led_pin = 17"):
        Device.ensure_pin_factory()
    assert tried == []


def test_pins_in_an_unwritable_folder_raise_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setenv("LG_WD", str(tmp_path / "none"))
    with pytest.raises(LightsError, match=f"its pipe in {tmp_path}/none"), pins("lights: GPIO 5"):
        pass
