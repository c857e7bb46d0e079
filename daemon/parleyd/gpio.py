"""GPIO pins through gpiozero, with its many ways to fail turned into one error."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from parleyd.errors import LightsError


@contextmanager
def pins(what: str) -> Iterator[None]:
    """Within it gpiozero devices are built; raises `LightsError` when that fails.

    `what` begins the message ("lights.output = led"). Which library drives the pins is
    gpiozero's choice, or that of its variable GPIOZERO_PIN_FACTORY.
    """
    try:
        import gpiozero
    except ImportError as error:
        raise LightsError(
            f"{what}: gpiozero cannot be imported ({error}), it belongs to Parley's "
            "installation; run install.sh again. Parley runs without it."
        ) from None
    failures = (gpiozero.GPIOZeroError, ImportError, OSError, RuntimeError)
    try:
        with warnings.catch_warnings():
            # one per library that gpiozero tried; the error below is told instead
            warnings.simplefilter("ignore", gpiozero.PinFactoryFallback)
            yield
    except (*failures, *_lgpio_error()) as error:
        raise LightsError(
            f"{what}: the pins cannot be driven ({error}), a Raspberry Pi with lgpio and access "
            "to /dev/gpiochip0 is expected; install python3-lgpio and join the group gpio, or "
            "remove the setting. Parley runs without it."
        ) from None


def _lgpio_error() -> tuple[type[Exception], ...]:
    """lgpio's own error ("GPIO busy") has no other base than Exception."""
    lgpio = sys.modules.get("lgpio")
    return (lgpio.error,) if lgpio is not None else ()
