"""The push button and the mute switch on GPIO pins."""

import math
import threading
import time
from collections.abc import Callable

from parleyd import config
from parleyd.host.pin_input import PinInput

QUIET_S = 0.05  # contacts bounce for up to 10 ms; two presses are more than 50 ms apart
MUTED_WITHOUT = "The microphone is closed until the mute switch can be read."


class Buttons:
    """Watches each configured pin independently; contacts close to ground, with the pull-up.

    Never raises: a pin that cannot be read is tried again (`PinInput`). `on_press` and
    `on_mute` are called on other threads and must return at once. `on_mute` receives each
    new position of the switch once. The first readable position sets `muted` and is not
    reported.

    A configured mute switch that cannot be read counts as muted. This is not reported either:
    it must not end a mute period that the user asked for by voice.
    """

    def __init__(
        self,
        settings: config.ButtonsConfig,
        *,
        on_press: Callable[[], None],
        on_mute: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_press, self._on_mute, self._clock = on_press, on_mute, clock
        self._closed_means_muted = settings.mute_closed_means_muted
        self._last_edge = -math.inf
        self._position: bool | None = None  # the last reported position, or the first one found
        self._reporting = threading.Lock()
        self._push_input: PinInput | None = None
        self._mute_input: PinInput | None = None
        if settings.mute_pin is not None:
            self._mute_input = PinInput(
                "buttons.mute_pin",
                settings.mute_pin,
                on_edge=lambda closed: self._look_at_switch(),
                on_look=self._look_at_switch,
                without=MUTED_WITHOUT,
            )
            self._mute_input.open()
        if settings.push_pin is not None:
            self._push_input = PinInput(
                "buttons.push_pin", settings.push_pin, on_edge=self._push_moved
            )
            self._push_input.open()

    @property
    def muted(self) -> bool:
        """Whether the switch mutes now; True while it cannot be read, False without a switch."""
        if self._mute_input is None:
            return False
        closed = self._mute_input.closed()
        return True if closed is None else closed == self._closed_means_muted

    @property
    def mute_trouble(self) -> str:
        """Why the mute switch cannot be read, and the consequence; "" while it can be read."""
        return "" if self._mute_input is None else self._mute_input.trouble

    @property
    def push_trouble(self) -> str:
        """Why the push button cannot be read; "" while it can be read."""
        return "" if self._push_input is None else self._push_input.trouble

    def close(self) -> None:
        """Free the pins; no callback follows; may be called twice."""
        for contact in (self._push_input, self._mute_input):
            if contact is not None:
                contact.close()

    def _push_moved(self, closed: bool) -> None:
        """A press counts at its first edge; the wait for the contact to settle follows."""
        if self._quiet() and closed:
            self._on_press()

    def _quiet(self) -> bool:
        """Return whether the pin was stable for `QUIET_S`; each edge restarts the wait."""
        now = self._clock()
        before, self._last_edge = self._last_edge, now
        return now - before >= QUIET_S

    def _look_at_switch(self) -> None:
        """Report the level, not the edge, so the last report after bouncing is correct."""
        with self._reporting:
            contact = self._mute_input
            closed = None if contact is None else contact.closed()
            if closed is None:
                return
            before, self._position = self._position, closed == self._closed_means_muted
            if before is not None and before != self._position:
                self._on_mute(self._position)
