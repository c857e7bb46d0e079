"""One contact on a GPIO pin, which is reopened until it can be read."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from parleyd.errors import LightsError
from parleyd.system.gpio_pins import WITHOUT, pins

if TYPE_CHECKING:
    from gpiozero import Button

FILTER_S = 0.002  # the kernel filters spikes on long wires; this delays a press by 2 ms at most
LEAST_PAUSE_S = 0.05  # another program frees its pins within a second when it restarts
MOST_PAUSE_S = 2.0  # the longest time that a freed pin stays unread
GROWTH = 16  # a pause is 1/16 of the time since the pin failed: 2 s after half a minute
LOOK_S = 2.0  # between reads of an open pin, because an unplugged chip sends no edge
STEADY_S = 10.0  # after this time without a failure, the next failure is logged again
CLOSED_WITHIN_S = 1.0  # opening a pin takes milliseconds

log = logging.getLogger(__name__)


class PinInput:
    """A contact to ground with the Pi's pull-up; a separate thread keeps the pin open.

    No method raises. A busy pin, a missing chip, a missing permission or a missing library is
    stored in `trouble` and logged once, and the pin is tried again after growing pauses.
    gpiozero calls `on_edge` with the contact's new state on its own thread. That thread serves
    all pins and ends at the first exception, so an exception of `on_edge` is caught here and
    logged with its traceback.

    `on_look` is called on this input's thread after each opening of the pin, and every
    `LOOK_S` while the pin can be read.
    """

    def __init__(
        self,
        key: str,
        pin: int,
        *,
        on_edge: Callable[[bool], None],
        on_look: Callable[[], None] = lambda: None,
        without: str = WITHOUT,
    ) -> None:
        """`key`: the configuration key; `without`: the consequence while the pin is unreadable."""
        self._what, self._pin, self._without = f"{key} = {pin}", pin, without
        self._on_edge, self._on_look = on_edge, on_look
        self.trouble = ""
        """Why the pin cannot be read, as text for the user; "" while it can be read."""
        self.device: Button | None = None
        """The gpiozero device; None while the pin cannot be read."""
        self._broken: list[Button] = []  # failed devices, which the thread closes
        self._logged: set[str] = set()
        self._look_now, self._ending = threading.Event(), threading.Event()
        self._troubled_since = self._opened_at = time.monotonic()
        self._thread = threading.Thread(target=self._keep_open, name=f"GPIO {pin}", daemon=True)

    def open(self) -> None:
        """Try once on the calling thread, then keep trying on the input's thread. Call once."""
        self._try()
        self._thread.start()

    def closed(self) -> bool | None:
        """Return whether the contact is closed; None if unreadable. Any thread; does not block."""
        device = self.device
        if device is None:
            return None
        try:
            return device.is_pressed
        except Exception as error:  # any exception of the library means that the pin is unreadable
            self._lose(device, error)
            return None

    def close(self) -> None:
        """Free the pin; no edge is reported afterwards. May be called twice."""
        self._ending.set()
        self._look_now.set()
        if self._thread.is_alive():
            self._thread.join(CLOSED_WITHIN_S)
        device, self.device = self.device, None
        _close(self._broken if device is None else [device, *self._broken])

    # --- keeping the pin open ---------------------------------------------------------------

    def _keep_open(self) -> None:
        while not self._ending.is_set():
            if self.device is None:
                if not self._ending.wait(self._pause_s()):
                    self._try()
                continue
            self._look_now.wait(LOOK_S)
            self._look_now.clear()
            if self.closed() is not None:
                self._look()
                if self._steady:
                    self._logged.clear()

    def _try(self) -> None:
        if self.trouble:
            self._log(self.trouble)
        broken, self._broken = self._broken, []
        _close(broken)
        try:
            with pins(self._what, self._without):
                device = _opened(self._pin, self._on_edge)
        except LightsError as error:
            self._log(str(error))
            return
        except Exception as error:  # any exception of the library means that the pin is unreadable
            self._log(self._unreadable(error))
            return
        if self._ending.is_set():
            _close([device])
            return
        self._opened_at = time.monotonic()
        self.device, self.trouble = device, ""
        if self._logged and "" not in self._logged:
            self._logged.add("")
            log.info("%s: the pin can be read again", self._what)
        self._look()

    def _look(self) -> None:
        try:
            self._on_look()
        except Exception:  # the rim of the input's thread
            log.exception("%s: the check of the pin failed", self._what)

    def _lose(self, device: "Button", error: Exception) -> None:
        """Mark the pin as unreadable. Any thread, even the audio thread: the input's thread
        closes the device."""
        if self.device is not device or self._ending.is_set():
            return
        if self._steady:
            self._troubled_since = time.monotonic()
        self._broken.append(device)
        self.trouble, self.device = self._unreadable(error), None
        self._look_now.set()

    @property
    def _steady(self) -> bool:
        return time.monotonic() - self._opened_at >= STEADY_S

    def _pause_s(self) -> float:
        troubled_s = time.monotonic() - self._troubled_since
        return min(max(troubled_s / GROWTH, LEAST_PAUSE_S), MOST_PAUSE_S)

    def _unreadable(self, error: Exception) -> str:
        text = str(error) or type(error).__name__
        return f"{self._what}: the pin cannot be read ({text}). {self._without}"

    def _log(self, trouble: str) -> None:
        self.trouble = trouble
        if trouble not in self._logged:
            self._logged.add(trouble)
            log.error("%s", trouble)


def _opened(pin: int, on_edge: Callable[[bool], None]) -> "Button":
    """Open a device and read its state once, because an unreadable device is not open."""
    device = _guarded_button()(pin, pull_up=True, bounce_time=FILTER_S)
    try:
        _ = device.is_pressed
        device.when_pressed = lambda: on_edge(True)
        device.when_released = lambda: on_edge(False)
    except BaseException:
        _close([device])
        raise
    return device


@cache
def _guarded_button() -> "type[Button]":
    """Return gpiozero's button class with a guard: no exception reaches the callback thread.

    gpiozero itself raises there too if an edge arrives while a device closes.
    """
    import gpiozero

    class Guarded(gpiozero.Button):
        def _pin_changed(self, ticks: float, state: float) -> None:
            try:
                super()._pin_changed(ticks, state)
            except Exception:  # the rim of the library's thread
                if not self.closed:
                    log.exception("an edge of a GPIO pin was lost")

    return Guarded


def _close(devices: "Sequence[Button]") -> None:
    for device in devices:
        try:
            device.close()
        except Exception as error:  # the chip is gone
            log.debug("cannot close a GPIO pin: %s", error)
            with contextlib.suppress(Exception):
                device._pin = None  # or its destructor would fail again and print an error
