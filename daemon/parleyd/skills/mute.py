"""The closed microphone: by the switch, or for a time because the user asked for it."""

import math
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

LONGEST_MIN = 24 * 60
LONGEST_S = LONGEST_MIN * 60.0
BY_VOICE = "closed by voice; the push button opens it"
UNKNOWN = (
    "perhaps closed by voice, the state file is damaged; press the push button or move the "
    "mute switch to open it, or wait a day"
)


class Mute:
    """The reasons for a closed microphone, and until when; lives on the event loop.

    `apply` closes (True) or opens the capture device itself; `muted` may also be read at
    any time, from any thread. The switch stands above the skill: while it is on nothing here
    opens the microphone, and moving it ends the time that was asked for.

    The end of that time is counted on `elapsed`, a clock in seconds that never jumps: no
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
        """`until`: the end by the wall `clock`, as it was kept. 0: nothing was asked for.
        Negative: it is unknown whether the microphone was closed, so it is, for the longest
        time that can be asked for.

        `asked_s`: how long it was to last, 0 when that was not kept. `ends`: the end by
        `elapsed`, where that clock has run since; then the wall clock is not asked.
        `elapsed`: left out where `clock` never jumps.
        """
        self.switch = False
        """The position of the switch; set it as it is found at the start."""
        self.keep = keep
        """Is given each new `until`, to be kept over a restart; must return at once."""
        self.reason = ""
        """Why the skill's part of it is closed, and what opens it; "" when it is open."""
        self.ends: float | None = None
        """When the time is over, by `elapsed`; None when nothing was asked for."""
        self.asked_s = asked_s
        """How long that time is."""
        self._clock, self._elapsed, self._apply = clock, elapsed or clock, apply
        self._until = until
        if until < 0:
            self.ends, self.reason = self._elapsed() + LONGEST_S, UNKNOWN
        elif until:
            now = self._elapsed()
            self.ends = now + _left_s(until - clock(), asked_s) if ends is None else ends
            self.ends = min(self.ends, now + LONGEST_S)
            self.reason = BY_VOICE if self.ends > now else ""

    @property
    def muted(self) -> bool:
        """The microphone is to be closed now."""
        ends = self.ends
        return self.switch or (ends is not None and self._elapsed() < ends)

    def switched(self, on: bool) -> None:
        """The mute switch was moved."""
        self.switch = on
        self._close_for(0.0)

    def reopen(self) -> None:
        """The button asks for the microphone; the switch may say no."""
        self._close_for(0.0)

    def look(self) -> None:
        """Call about once a second: open it again when the time is over."""
        if self.ends is not None and self._elapsed() >= self.ends:
            self._close_for(0.0)

    @skill
    def mute_microphone(self, minutes: Annotated[int, Meta(ge=1, le=LONGEST_MIN)]) -> str:
        """Close the microphone of this speaker for some minutes. Nothing is heard until then,
        not even the wake word; its button opens the microphone earlier."""
        self._close_for(minutes * 60.0)
        return (
            f"The microphone is closed for {minutes} minute{'s' * (minutes != 1)}. "
            "The button opens it earlier."
        )

    def _close_for(self, asked_s: float) -> None:
        before = self._until
        self.asked_s = asked_s
        self._until = math.ceil(self._clock()) + asked_s if asked_s else 0.0
        self.ends = self._elapsed() + asked_s if asked_s else None
        self.reason = BY_VOICE if asked_s else ""
        self._apply(self.muted)
        if self._until != before:
            self.keep(self._until)


def _left_s(left_s: float, asked_s: float) -> float:
    """The time left after a restart of the machine, by a wall clock that may not be set yet.

    More than was asked for: the clock was set back. Nothing: the time is over, or the clock
    is ahead, or it was behind when the user asked. None of these opens the microphone before
    its time: it is closed for as long as was asked for, once more.
    """
    if not 0 < asked_s <= LONGEST_S:  # not kept
        return left_s
    return left_s if 0 < left_s <= asked_s else asked_s
