"""The muted microphone: by the switch, or for a time that somebody asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill

LONGEST_MIN = 24 * 60
LONGEST_S = LONGEST_MIN * 60.0
BY_VOICE = "closed by voice; the push button opens it"
BY_COMMAND = "closed by command; `parley unmute` or the push button opens it"
BY_HOME = "closed by home automation, which may open it; `parley unmute` or the push button do, too"
BEFORE_RESTART = "closed by voice or command; the push button opens it"
UNKNOWN = (
    "perhaps closed by voice, the state file is damaged; press the push button or move the "
    "mute switch to open it, or wait a day"
)


class Holder(Enum):
    """Who asked for a closed microphone."""

    PERSON = auto()
    """By voice or by a command of this machine."""
    HOME = auto()
    """Home automation, whose assistants may be models: it ends its own time and no other."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A time for which somebody closed the microphone."""

    by: Holder
    ends: float
    """By the clock that never jumps."""
    asked_s: float
    until: float
    """Its end by the wall clock."""
    reason: str


class Mute:
    """The reasons for a closed microphone, and when it opens; lives on the event loop.

    `apply` closes (True) or opens the capture device itself; `muted` may also be read at
    any time, from any thread. The switch overrides the skill: while it is on, nothing here
    opens the microphone, and moving it ends the requested time. A person and home automation
    each have a separate time; the microphone is closed until both are over.

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
        by: Holder = Holder.PERSON,
        keep: Callable[[float], None] = lambda until: None,
    ) -> None:
        """`until`: the saved end, by the wall `clock`. 0: the user did not ask for one.
        Negative: it is unknown whether the microphone was closed, so it is closed for the
        longest time that the user can ask for.

        `asked_s`: the requested duration; 0 if it was not saved. `ends`: the end by `elapsed`
        if that clock has run since then; the wall clock is then ignored. `elapsed`: omit it
        if `clock` never jumps. `by`: who asked.
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
        self._holds: tuple[Hold, ...] = ()
        if not until:
            return
        now = self._elapsed()
        if until < 0:
            by, self.ends, self.reason = Holder.PERSON, now + LONGEST_S, UNKNOWN
        else:
            self.ends = now + _left_s(until - clock(), asked_s) if ends is None else ends
            self.ends = min(self.ends, now + LONGEST_S)
            told = BY_HOME if by is Holder.HOME else BEFORE_RESTART
            self.reason = told if self.ends > now else ""
        self._holds = (Hold(by, self.ends, asked_s, until, self.reason),)

    @property
    def muted(self) -> bool:
        """Whether the microphone must be closed now."""
        return self.switch or self.closed_by_voice

    @property
    def closed_by_voice(self) -> bool:
        """Whether a time for which the microphone was closed lasts."""
        ends = self.ends
        return ends is not None and self._elapsed() < ends

    def switched(self, on: bool) -> None:
        """Handle a move of the mute switch."""
        self.switch = on
        self._hold()

    def reopen(self) -> None:
        """Handle the button, which opens the microphone unless the switch closes it."""
        self._hold()

    def look(self) -> None:
        """Open the microphone again when the time is over; call about once a second."""
        now = self._elapsed()
        if any(hold.ends <= now for hold in self._holds):
            self._hold(*(hold for hold in self._holds if hold.ends > now))

    @skill
    def mute_microphone(self, minutes: Annotated[int, Meta(ge=1, le=LONGEST_MIN)]) -> str:
        """Close the microphone of this speaker for some minutes. Nothing is heard until then,
        not even the wake word; its button opens the microphone earlier."""
        self.close_for(minutes, BY_VOICE)
        return (
            f"The microphone is closed for {minutes} minute{'s' * (minutes != 1)}. "
            "The button opens it earlier."
        )

    def close_for(self, minutes: int, reason: str, by: Holder = Holder.PERSON) -> None:
        """Close the microphone for 1 to `LONGEST_MIN` minutes."""
        asked_s = minutes * 60.0
        until = math.ceil(self._clock()) + asked_s
        own = Hold(by, self._elapsed() + asked_s, asked_s, until, reason)
        self._hold(*(hold for hold in self._holds if hold.by is not by), own)

    def release(self, by: Holder) -> bool:
        """End the time of this holder; return whether nobody else's keeps the microphone closed."""
        self._hold(*(hold for hold in self._holds if hold.by is not by))
        return not self.closed_by_voice

    @property
    def only_home(self) -> bool:
        """Whether the microphone is closed for home automation and for no person."""
        return bool(self._holds) and all(hold.by is Holder.HOME for hold in self._holds)

    @property
    def left_s(self) -> float:
        """The rest of the requested time; 0 if the user did not ask for one."""
        return max(0.0, self.ends - self._elapsed()) if self.ends is not None else 0.0

    def _hold(self, *holds: Hold) -> None:
        """Close the microphone for these times, or open it; save what has changed."""
        before = self._until, self.only_home
        self._holds = holds
        last = max(holds, key=lambda hold: hold.ends, default=None)
        if last is None:
            self.asked_s, self._until, self.ends, self.reason = 0.0, 0.0, None, ""
        else:
            self.asked_s, self._until, self.ends = last.asked_s, last.until, last.ends
            persons = (hold.reason for hold in holds if hold.by is Holder.PERSON)
            self.reason = next(persons, last.reason)
        self._apply(self.muted)
        if (self._until, self.only_home) != before:
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
