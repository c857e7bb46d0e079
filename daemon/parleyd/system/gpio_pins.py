"""GPIO pins through gpiozero, with its many ways to fail turned into one error."""

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
"""What the kernel's drivers call it (pinctrl-rp1.c: Pi 5, pinctrl-bcm2835.c: Pi 4, before)."""

_building = threading.RLock()  # gpiozero chooses its factory and counts its pins without a lock


@contextmanager
def pins(what: str, without: str = WITHOUT) -> Iterator[None]:
    """Within it gpiozero devices are built, one thread at a time; raises `LightsError`.

    `what` begins the message ("lights.output = led"), `without` ends it: what Parley does
    instead. The pins are driven by lgpio, or by what GPIOZERO_PIN_FACTORY names.
    """
    try:
        import gpiozero
    except ImportError as error:
        raise LightsError(
            f"{what}: gpiozero cannot be imported ({error}), it belongs to Parley's "
            f"installation; run install.sh again. {without}"
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
    """lgpio and nothing else, unless the environment names another one.

    Left to itself gpiozero falls back, for good, to a factory that writes registers of old
    Pis: without the pull-up of newer ones a switch would be read by chance.
    """
    if device.pin_factory is None and "GPIOZERO_PIN_FACTORY" not in os.environ:
        folder = os.environ.get("LG_WD") or os.getcwd()
        if not os.access(folder, os.W_OK):  # lgpio would say so on standard error at each try
            raise OSError(
                f"lgpio cannot make its pipe in {folder}, start Parley in a folder that it may "
                "write or name one with LG_WD"
            )
        from gpiozero.pins.lgpio import LGPIOFactory

        device.pin_factory = LGPIOFactory(chip=_header_chip())


def _header_chip() -> int | None:
    """The number of the chip behind the header's pins; None leaves it to gpiozero.

    gpiozero goes by the number that a kernel gave it once. On a Pi 5 it was 4 and is 0, and
    a chip that comes back while its old handle is open gets another one: a mute switch must
    not be read from a pin of some other chip.
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
    """Let the next try open the chip again, when the open one has gone.

    A driver that was unloaded, or a chip on USB that was unplugged, answers every request
    through the old handle with an error, for good (gpiochip ioctls: ENODEV).
    """
    lgpio, factory = sys.modules.get("lgpio"), device.pin_factory
    if lgpio is None or not _is_lgpio(factory) or factory._handle is None:
        return
    handle = factory._handle
    try:
        lgpio.gpio_get_chip_info(handle)
    except lgpio.error:
        factory.pins.clear()  # closing them would fail, as the chip is gone
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
            f"the pins cannot be driven ({text}), a pin that nothing else uses is expected; "
            "end the other program, or choose another pin"
        )
    return (
        f"the pins cannot be driven ({text}), a Raspberry Pi with lgpio and access to "
        "/dev/gpiochip0 is expected; install python3-lgpio and join the group gpio, or remove "
        "the setting"
    )


def _lgpio_error() -> tuple[type[Exception], ...]:
    """lgpio's own error ("GPIO busy") has no other base than Exception."""
    lgpio = sys.modules.get("lgpio")
    return (lgpio.error,) if lgpio is not None else ()
