"""The closed microphone: by the switch, or for a time because somebody asked for it."""

import math
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

LONGEST_MIN = 24 * 60
LONGEST_S = LONGEST_MIN * 60.0 + 1  # more is left only when the clock was set back: then open


class Mute:
    """Who has closed the microphone, and until when; lives on the event loop.

    `apply` closes (True) or opens the capture device itself. The switch stands above the
    skill: while it is on nothing here opens the microphone, and moving it ends the time
    that was asked for. Times are of the wall clock, in seconds, because the microphone
    stays closed over a restart too.
    """

    def __init__(
        self,
        *,
        until: float,
        apply: Callable[[bool], None],
        clock: Callable[[], float],
        keep: Callable[[float], None] = lambda until: None,
    ) -> None:
        self.switch = False
        """The position of the switch; set it as it is found at the start."""
        self._clock, self._apply, self._keep = clock, apply, keep
        self._until = until

    @property
    def muted(self) -> bool:
        """The microphone is to be closed now."""
        return self.switch or 0 < self._until - self._clock() <= LONGEST_S

    def switched(self, on: bool) -> None:
        """The mute switch was moved."""
        self.switch = on
        self._set(0.0)

    def reopen(self) -> None:
        """The button asks for the microphone; the switch may say no."""
        self._set(0.0)

    def look(self) -> None:
        """Call about once a second: open it again when the time is over."""
        left_s = self._until - self._clock()
        if self._until and not 0 < left_s <= LONGEST_S:
            self._set(0.0)

    @skill
    def mute_microphone(self, minutes: Annotated[int, Meta(ge=1, le=LONGEST_MIN)]) -> str:
        """Close the microphone of this speaker for some minutes. Nothing is heard until then,
        not even the wake word; its button opens the microphone earlier."""
        self._set(math.ceil(self._clock()) + minutes * 60)
        return (
            f"The microphone is closed for {minutes} minute{'s' * (minutes != 1)}. "
            "The button opens it earlier."
        )

    def _set(self, until: float) -> None:
        changed, self._until = until != self._until, until
        self._apply(self.muted)
        if changed:
            self._keep(until)
