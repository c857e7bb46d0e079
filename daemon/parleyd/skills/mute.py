"""The muted microphone: by the switch, or for a time that the user asked for."""

import math
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

LONGEST_MIN = 24 * 60
LONGEST_S = LONGEST_MIN * 60.0
BY_VOICE = "closed by voice; the push button opens it"
BY_COMMAND = "closed by command; `parley unmute` or the push button opens it"
BEFORE_RESTART = "closed by voice or command; the push button opens it"
UNKNOWN = (
    "perhaps closed by voice, the state file is damaged; press the push button or move the "
    "mute switch to open it, or wait a day"
)


class Mute:
    """The reasons for a closed microphone, and when it opens; lives on the event loop.

    `apply` closes (True) or opens the capture device itself; `muted` may also be read at
    any time, from any thread. The switch overrides the skill: while it is on, nothing here
    opens the microphone, and moving it ends the requested time.

    The end of that time is measured on `elapsed`, a clock in seconds that never jumps, so no
    change of the wall clock opens the microphone.
    """

    def __init__(
        self,
        *,
        until: float,
        apply: Callable[[bool], None] = lambda closed: None,
        clock: Callable[[], float],
        elapsed: Callable[[], float] | None = None,
        asked_s: float = 0.0,
        ends: float | None = None,
        keep: Callable[[float], None] = lambda until: None,
    ) -> None:
        """`until`: the saved end, by the wall `clock`. 0: the user did not ask for one.
        Negative: it is unknown whether the microphone was closed, so it is closed for the
        longest time that the user can ask for.

        `asked_s`: the requested duration; 0 if it was not saved. `ends`: the end by `elapsed`
        if that clock has run since then; the wall clock is then ignored. `elapsed`: omit it
        if `clock` never jumps.
        """
        self.switch = False
        """The position of the switch; set it to the position found at the start."""
        self.keep = keep
        """Called with each new `until`, to save it over a restart; must return immediately."""
        self.reason = ""
        """Why the skill keeps the microphone closed, and how to open it; "" when it is open."""
        self.ends: float | None = None
        """When the requested time ends, by `elapsed`; None if the user did not ask for one."""
        self.asked_s = asked_s
        """The requested duration."""
        self._clock, self._elapsed, self._apply = clock, elapsed or clock, apply
        self._until = until
        if until < 0:
            self.ends, self.reason = self._elapsed() + LONGEST_S, UNKNOWN
        elif until:
            now = self._elapsed()
            self.ends = now + _left_s(until - clock(), asked_s) if ends is None else ends
            self.ends = min(self.ends, now + LONGEST_S)
            self.reason = BEFORE_RESTART if self.ends > now else ""

    @property
    def muted(self) -> bool:
        """Whether the microphone must be closed now."""
        return self.switch or self.closed_by_voice

    @property
    def closed_by_voice(self) -> bool:
        """Whether the time for which the user closed the microphone lasts."""
        ends = self.ends
        return ends is not None and self._elapsed() < ends

    def switched(self, on: bool) -> None:
        """Handle a move of the mute switch."""
        self.switch = on
        self._close_for(0.0)

    def reopen(self) -> None:
        """Handle the button, which opens the microphone unless the switch closes it."""
        self._close_for(0.0)

    def look(self) -> None:
        """Open the microphone again when the time is over; call about once a second."""
        if self.ends is not None and self._elapsed() >= self.ends:
            self._close_for(0.0)

    @skill
    def mute_microphone(self, minutes: Annotated[int, Meta(ge=1, le=LONGEST_MIN)]) -> str:
        """Close the microphone of this speaker for some minutes. Nothing is heard until then,
        not even the wake word; its button opens the microphone earlier."""
        self.close_for(minutes, BY_VOICE)
        return (
            f"The microphone is closed for {minutes} minute{'s' * (minutes != 1)}. "
            "The button opens it earlier."
        )

    def close_for(self, minutes: int, reason: str) -> None:
        """Close the microphone for 1 to `LONGEST_MIN` minutes."""
        self._close_for(minutes * 60.0, reason)

    @property
    def left_s(self) -> float:
        """The rest of the requested time; 0 if the user did not ask for one."""
        return max(0.0, self.ends - self._elapsed()) if self.ends is not None else 0.0

    def _close_for(self, asked_s: float, reason: str = "") -> None:
        before = self._until
        self.asked_s = asked_s
        self._until = math.ceil(self._clock()) + asked_s if asked_s else 0.0
        self.ends = self._elapsed() + asked_s if asked_s else None
        self.reason = reason
        self._apply(self.muted)
        if self._until != before:
            self.keep(self._until)


def _left_s(left_s: float, asked_s: float) -> float:
    """The time left after a restart of the machine, by a wall clock that may not be set yet.

    If more is left than the user asked for, the clock was set back. If nothing is left, the time
    is over, the clock is ahead, or it was behind when the user asked. None of these opens the
    microphone early: it stays closed for the full requested duration again.
    """
    if not 0 < asked_s <= LONGEST_S:  # not saved
        return left_s
    return left_s if 0 < left_s <= asked_s else asked_s
