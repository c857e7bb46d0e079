"""A fuse: if one part of the hearing fails, the speaker continues without it for a while."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

FIRST_PAUSE_S = 1.0  # most failures are caused by one odd period
LONGEST_PAUSE_S = 60.0  # a part that always fails costs almost nothing, but is tried again
STEADY_S = 60.0  # after this time without a failure, the pauses start again at FIRST_PAUSE_S
REMEMBERED = 16  # kinds of failures of one part; each is logged with its traceback once

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class ComponentFault:
    """One failure of one part, which has been reset."""

    part: str
    means: str
    """The consequence in the meantime, in words for the user."""
    times: int
    """The number of failures of this part since the start."""
    error: Exception = field(compare=False)
    known: bool = False
    """Whether it has failed at the same place before, so its traceback is in the log."""


class Fuse:
    """Runs one part of the hearing; its errors end neither the thread nor the other parts.

    After a failure the part is reset and skipped, at first for `FIRST_PAUSE_S`; each further
    failure doubles the time. `report` is called with each failure, because the core writes no
    log. Pure, owned by the audio thread, `now` in monotonic seconds.
    """

    def __init__(
        self,
        part: str,
        means: str,
        reset: Callable[[], object],
        report: Callable[[ComponentFault], None],
    ) -> None:
        self.part = part
        self.means = means
        """The consequence while the part is skipped, in words for the user."""
        self._reset = reset
        self._report = report
        self._times = 0
        self._pause_s = FIRST_PAUSE_S
        self._out_until = self._failed_at = float("-inf")
        self._known: set[str] = set()

    def run(
        self, now: float, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T | None:
        """Return the result of `work`; None if it raises, or while the part is skipped."""
        if now < self._out_until:
            return None
        try:
            return work(*arguments, **named)
        except Exception as error:  # the rim of one part, with any library under it
            self._blow(error, now)
            return None

    def out(self, now: float) -> bool:
        """Return whether the part is skipped."""
        return now < self._out_until

    def trouble(self, now: float) -> str:
        """Return a text about the failure until the part has worked for `STEADY_S`, else "".

        While the part is skipped, the text is the consequence.
        """
        if self.out(now):
            return self.means
        recent = now < self._failed_at + STEADY_S
        return f"the {self.part} failed and was reset" if recent else ""

    def mend(self) -> None:
        """Run the part again at once, because it was replaced."""
        self._out_until = float("-inf")

    def _blow(self, error: Exception, now: float) -> None:
        if now >= self._failed_at + self._pause_s + STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self._times += 1
        self._failed_at, self._out_until = now, now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        try:
            self._reset()
        except Exception as again:  # the part stays unchanged, and is skipped all the same
            error.add_note(f"and it cannot be reset: {type(again).__name__}: {again}")
        place = _place(error)
        known = place in self._known
        if len(self._known) < REMEMBERED:
            self._known.add(place)
        self._report(ComponentFault(self.part, self.means, self._times, error, known))


def _place(error: Exception) -> str:
    """Return the error's type and the place where it was raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    return f"{type(error).__name__} {where}"
