"""Timers and alarms: when they are due, whatever happens to the clock. Pure: time is an argument.

A timer that runs in this process is measured by the steady clock, which nobody sets. An
alarm, and a timer from before a restart, by the wall clock, which alone knows how long the
device was off. A wall clock that is set (by hand, or by the network minutes after a start)
moves neither a running timer nor the hour of an alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec

MOST = 16  # more at once is a model gone wild
RECENT_S = 30 * 60  # what became due while the device was off rings if it is no older than that
LATEST = 32_503_680_000.0  # the year 3000: no clock shows more, but a broken file may say so
STEP_S = 2.0  # a clock that moved so far was set; less is the network's slow correction


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks, in seconds."""

    wall: float
    """Since 1970 (`time.time`)."""
    steady: float
    """`time.monotonic`."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is to ring, as it is kept in the file."""

    id: int
    name: str
    due: Annotated[float, msgspec.Meta(ge=0, le=LATEST)]
    """Wall clock."""
    timer: bool
    """Set as a duration, not as an hour."""


class Alarms:
    """All that wait or ring."""

    def __init__(self, kept: Sequence[Alarm]) -> None:
        self._waiting = {alarm.id: alarm for alarm in kept[:MOST]}
        self._ringing: dict[int, Alarm] = {}
        self._steady_due: dict[int, float] = {}  # of timers set in this process
        self._offset: float | None = None  # of the wall clock against the steady one
        self._next_id = max(self._waiting, default=0) + 1

    @property
    def waiting(self) -> list[Alarm]:
        """What has not rung yet, the next first."""
        return sorted(self._waiting.values(), key=lambda alarm: alarm.due)

    @property
    def kept(self) -> list[Alarm]:
        """What a restart must know of: what waits, and what rings and was not stopped."""
        return [*self._ringing.values(), *self.waiting]

    def set_timer(self, seconds: float, name: str, now: Moment) -> Alarm:
        """Due after a duration. Raises ValueError when there are too many."""
        self._follow_clock(now)
        alarm = self._add(now.wall + seconds, name, timer=True)
        self._steady_due[alarm.id] = now.steady + seconds
        return alarm

    def set_alarm(self, due: float, name: str) -> Alarm:
        """Due at an hour of the wall clock. Raises ValueError when there are too many."""
        return self._add(due, name, timer=False)

    def cancel(self, name: str) -> list[Alarm]:
        """Forget those that wait under this name (any case), or all when it is empty."""
        gone = [a for a in self.waiting if name.lower() in ("", a.name.lower())]
        for alarm in gone:
            self._forget(alarm)
        return gone

    def take_due(self, now: Moment) -> tuple[list[Alarm], list[Alarm]]:
        """What is to ring now, and what was missed for too long to ring; each is returned once.

        What rings is kept until `stopped`.
        """
        self._follow_clock(now)
        over = [alarm for alarm in self.waiting if self._late_s(alarm, now) >= 0]
        recent = [alarm for alarm in over if self._late_s(alarm, now) <= RECENT_S]
        missed = [alarm for alarm in over if self._late_s(alarm, now) > RECENT_S]
        for alarm in over:
            self._forget(alarm)
        self._ringing |= {alarm.id: alarm for alarm in recent}
        return recent, missed

    def stopped(self, ids: Sequence[int]) -> None:
        """These have rung; unknown ids are ignored."""
        for number in ids:
            self._ringing.pop(number, None)

    def left_s(self, alarm: Alarm, now: Moment) -> float:
        """How long until it rings."""
        return -self._late_s(alarm, now)

    def _add(self, due: float, name: str, *, timer: bool) -> Alarm:
        if len(self._waiting) >= MOST:
            raise ValueError(f"there are {MOST} timers already, cancel some first")
        alarm = Alarm(id=self._next_id, name=name, due=due, timer=timer)
        self._next_id += 1
        self._waiting[alarm.id] = alarm
        return alarm

    def _forget(self, alarm: Alarm) -> None:
        del self._waiting[alarm.id]
        self._steady_due.pop(alarm.id, None)

    def _late_s(self, alarm: Alarm, now: Moment) -> float:
        if alarm.id in self._steady_due:
            return now.steady - self._steady_due[alarm.id]
        return now.wall - alarm.due

    def _follow_clock(self, now: Moment) -> None:
        """The wall clock was set: a running timer is due at another hour of it."""
        offset = now.wall - now.steady
        if self._offset is not None and abs(offset - self._offset) < STEP_S:
            return
        self._offset = offset
        for number, due in self._steady_due.items():
            self._waiting[number] = msgspec.structs.replace(self._waiting[number], due=due + offset)


def next_time(hour: int, minute: int, day: date | None, wall: float) -> float:
    """When the wall clock (local time) shows this hour next, or on this day.

    Raises ValueError when that is over.
    """
    local = datetime.fromtimestamp(wall)
    due = datetime.combine(day or local.date(), datetime.min.time()).replace(
        hour=hour, minute=minute
    )
    if due <= local and day is None:
        due += timedelta(days=1)
    if due <= local:
        raise ValueError(f"{due:%H:%M on %A, %d %B} is over")
    return due.timestamp()
