"""The push button and the mute switch on GPIO pins."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from parleyd import config
from parleyd.gpio import pins

QUIET_S = 0.05  # contacts bounce for up to 10 ms, nobody presses twice within 50
FILTER_S = 0.002  # the kernel hides spikes on long wires; adds no more than this to a press


class Buttons:
    """Watches the pins that are configured, each against ground with the Pi's pull-up.

    Raises `LightsError` when a pin is configured and cannot be read; without any pin it
    does nothing. `on_press` and `on_mute` are called on a thread of gpiozero and must
    return at once. `on_mute` is told each new position, once; the position at the start
    is `muted`.
    """

    def __init__(
        self,
        settings: config.Buttons,
        *,
        on_press: Callable[[], None],
        on_mute: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_press, self._on_mute, self._clock = on_press, on_mute, clock
        self._closed_means_muted = settings.mute_closed_means_muted
        self._last_edge = -math.inf
        self._told = False
        self._telling = threading.Lock()
        self._push: Any = None
        self._switch: Any = None
        try:
            if settings.push_pin is not None:
                self._push = _button("buttons.push_pin", settings.push_pin)
                self._push.when_pressed = self._pressed
                self._push.when_released = self._released
            if settings.mute_pin is not None:
                self._switch = _button("buttons.mute_pin", settings.mute_pin)
                self._switch.when_pressed = self._switch.when_released = self._switched
                with self._telling:  # after that: a move in between was told or is seen here
                    self._told = self.muted
        except BaseException:
            self.close()
            raise

    @property
    def muted(self) -> bool:
        """The mute switch's position now; False without a switch."""
        if self._switch is None:
            return False
        return bool(self._switch.is_pressed) == self._closed_means_muted

    def close(self) -> None:
        """Free the pins; no callback comes afterwards; may be called twice."""
        for button in (self._push, self._switch):
            if button is not None:
                button.close()
        self._push = self._switch = None

    def _pressed(self) -> None:
        """A press counts at its first edge: the wait for the contact to settle comes after it."""
        if self._quiet():
            self._on_press()

    def _released(self) -> None:
        self._quiet()

    def _quiet(self) -> bool:
        """Whether the line was still for `QUIET_S`; each edge starts the wait anew."""
        now = self._clock()
        before, self._last_edge = self._last_edge, now
        return now - before >= QUIET_S

    def _switched(self) -> None:
        """The level counts, not the edge: after bouncing the last one told is the true one."""
        with self._telling:
            muted = self.muted
            if muted != self._told:
                self._told = muted
                self._on_mute(muted)


def _button(key: str, pin: int) -> Any:
    with pins(f"{key} = {pin}"):
        from gpiozero import Button

        return Button(pin, pull_up=True, bounce_time=FILTER_S)
