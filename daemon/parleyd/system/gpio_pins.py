"""GPIO pins through gpiozero, with all its failures converted to one error."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from parleyd.errors import LightsError

if TYPE_CHECKING:
    from gpiozero import Device
    from gpiozero.pins import Factory
    from gpiozero.pins.lgpio import LGPIOFactory

WITHOUT = "Parley runs without it."

CHIPS = Path("/dev")
HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The header's chip in the kernel (pinctrl-rp1.c: Pi 5, pinctrl-bcm2835.c: Pi 4 and older)."""

_building = threading.RLock()  # gpiozero chooses its factory and reserves pins without a lock


@contextmanager
def pins(what: str, without: str = WITHOUT) -> Iterator[None]:
    """Build gpiozero devices in the block, one thread at a time; raises `LightsError`.

    `what` starts the message ("lights.output = led"); `without` ends it with the consequence.
    lgpio drives the pins, or the factory that GPIOZERO_PIN_FACTORY names.
    """
    try:
        import gpiozero
    except ImportError as error:
        raise LightsError(
            f"{what}: cannot import gpiozero ({error}), which is part of Parley's installation; "
            f"run install.sh again. {without}"
        ) from None
    failures: tuple[type[Exception], ...] = (
        gpiozero.GPIOZeroError,
        ImportError,
        OSError,
        RuntimeError,
    )
    try:
        with _building:
            _choose_factory(gpiozero.Device)
            yield
    except failures + _lgpio_error() as error:
        with _building:
            _forget_lost_chip(gpiozero.Device)
        raise LightsError(f"{what}: {_in_words(error)}. {without}") from None


def _choose_factory(device: "type[Device]") -> None:
    """Choose lgpio and no other factory, unless the environment names one.

    By default, gpiozero falls back permanently to a factory for the registers of old Pis. It
    sets no pull-up on newer ones, so a switch would have a random state.
    """
    if device.pin_factory is None and "GPIOZERO_PIN_FACTORY" not in os.environ:
        folder = os.environ.get("LG_WD") or os.getcwd()
        if not os.access(folder, os.W_OK):  # lgpio would print this to stderr at each try
            raise OSError(
                f"lgpio cannot create its pipe in {folder}; start Parley in a writable folder, "
                "or name one with LG_WD"
            )
        from gpiozero.pins.lgpio import LGPIOFactory

        device.pin_factory = LGPIOFactory(chip=_header_chip())


def _header_chip() -> int | None:
    """Return the number of the chip behind the header's pins; None lets gpiozero choose.

    gpiozero assumes a fixed number. On a Pi 5, it changed from 4 to 0, and a chip that returns
    while its old handle is open gets another number. A mute switch must not be read from
    another chip's pin.
    """
    import lgpio

    for node in sorted(CHIPS.glob("gpiochip[0-9]*")):
        number = int(node.name.removeprefix("gpiochip"))
        try:
            handle = lgpio.gpiochip_open(number)
        except lgpio.error:
            continue
        try:
            _, _, _, label = lgpio.gpio_get_chip_info(handle)
        finally:
            lgpio.gpiochip_close(handle)
        if label in HEADER_LABELS:
            return number
    return None


def _forget_lost_chip(device: "type[Device]") -> None:
    """If the open chip is gone, let the next try open it again.

    After an unloaded driver or an unplugged USB chip, every request through the old handle
    fails permanently (gpiochip ioctls: ENODEV).
    """
    lgpio, factory = sys.modules.get("lgpio"), device.pin_factory
    if lgpio is None or not _is_lgpio(factory) or factory._handle is None:
        return
    handle = factory._handle
    try:
        lgpio.gpio_get_chip_info(handle)
    except lgpio.error:
        factory.pins.clear()  # closing them would fail, because the chip is gone
        factory._handle = None
        device.pin_factory = None
        with contextlib.suppress(lgpio.error):
            lgpio.gpiochip_close(handle)


def _is_lgpio(factory: "Factory | None") -> "TypeGuard[LGPIOFactory]":
    return type(factory).__name__ == "LGPIOFactory"  # without an import of lgpio


def _in_words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "busy" in text or "in use" in text:  # lgpio.error, gpiozero.GPIOPinInUse
        return (
            f"the pins cannot be driven ({text}); a free pin is expected; "
            "end the other program, or choose another pin"
        )
    return (
        f"the pins cannot be driven ({text}); a Raspberry Pi with lgpio and access to "
        "/dev/gpiochip0 is expected; install python3-lgpio and join the group gpio, or remove "
        "the setting"
    )


def _lgpio_error() -> tuple[type[Exception], ...]:
    """Return lgpio's own error ("GPIO busy"), which has no other base than Exception."""
    lgpio = sys.modules.get("lgpio")
    return (lgpio.error,) if lgpio is not None else ()
