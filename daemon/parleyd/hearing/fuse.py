"""A fuse: one part of hearing may fail, and the speaker continues without it for a while."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

FIRST_PAUSE_S = 1.0  # most failures are one odd period
LONGEST_PAUSE_S = 60.0  # a part that always fails costs nothing, and is tried again all the same
STEADY_S = 60.0  # after that without a failure the next one is waited for from FIRST_PAUSE_S on
REMEMBERED = 16  # kinds of failures of one part: each is logged with its traceback once

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure of one part, which has been reset."""

    part: str
    means: str
    """The loss meanwhile, in words for the user."""
    times: int
    """How often this part has failed since the start."""
    error: Exception = field(compare=False)
    known: bool = False
    """It has failed at the same place before: its traceback is in the log."""


class Fuse:
    """Runs one part of hearing; its errors end neither the thread nor the other parts.

    After a failure the part is reset and left out, for `FIRST_PAUSE_S` and twice as long
    after each further one. `report` is handed each failure: the core writes no log. Pure,
    owned by the audio thread, `now` in monotonic seconds.
    """

    def __init__(
        self, part: str, means: str, reset: Callable[[], object], report: Callable[[Fault], None]
    ) -> None:
        self.part = part
        self.means = means
        """The loss while the part is left out, in words for the user."""
        self._reset = reset
        self._report = report
        self._times = 0
        self._pause_s = FIRST_PAUSE_S
        self._out_until = self._failed_at = float("-inf")
        self._known: set[str] = set()

    def run(
        self, now: float, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T | None:
        """The result of `work`; None when it raises, or while the part is left out."""
        if now < self._out_until:
            return None
        try:
            return work(*arguments, **named)
        except Exception as error:  # the rim of one part, whatever library is under it
            self._blow(error, now)
            return None

    def out(self, now: float) -> bool:
        """The part is left out."""
        return now < self._out_until

    def trouble(self, now: float) -> str:
        """In words: the loss while the part is left out, then that it failed, until it has
        worked for `STEADY_S`; else ""."""
        if self.out(now):
            return self.means
        recent = now < self._failed_at + STEADY_S
        return f"the {self.part} failed and was reset" if recent else ""

    def mend(self) -> None:
        """The part was replaced: it is run again at once."""
        self._out_until = float("-inf")

    def _blow(self, error: Exception, now: float) -> None:
        if now >= self._failed_at + self._pause_s + STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self._times += 1
        self._failed_at, self._out_until = now, now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        try:
            self._reset()
        except Exception as again:  # it stays as it is, and is left out as long
            error.add_note(f"and it cannot be reset: {type(again).__name__}: {again}")
        place = _place(error)
        known = place in self._known
        if len(self._known) < REMEMBERED:
            self._known.add(place)
        self._report(Fault(self.part, self.means, self._times, error, known))


def _place(error: Exception) -> str:
    """Where it was raised, and what."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    return f"{type(error).__name__} {where}"
