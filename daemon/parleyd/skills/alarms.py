"""Timers and alarms, due at the right time even if the clock jumps. Pure: time is an argument.

The wall clock of a Pi is often wrong: at boot it shows the time of the last shutdown, or 1970,
until the network sets it. Every decision therefore uses the clock's present value, and a wrong
clock never discards an alarm:

- A timer runs its duration on the steady clock. After a reboot it follows the wall clock, but
  takes at most its full duration again.
- An alarm is an hour of the local clock on a date, in whatever time zone applies by then. Without
  a date, it is the next such hour after it was set: a date that came from a wrong clock or another
  time zone is corrected.
- A missed alarm is returned once and kept: it rings if the clock is set back to before it.
- An alarm that rang and was stopped never rings again.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from parleyd.skills.hours import LATEST, epoch, next_time, parsed, within

__all__ = [
    "LATEST",
    "MOST",
    "MOST_KEPT",
    "RECENT_S",
    "Alarm",
    "Alarms",
    "ClockReading",
    "next_time",
]

MOST = 16  # at once; more is a model out of control
MOST_KEPT = 4 * MOST  # in the file: waiting or ringing ones, and three times as many missed ones
LONGEST_NAME = 60  # characters
LONGEST_TIMER_S = 24 * 3600
RECENT_S = 30 * 60  # an alarm that was due while the device was off still rings within this time
STEP_S = 2.0  # a larger jump means that the clock was set; less is the network's slow correction
WRONG_S = 600.0  # a clock set by more than this gave "the next 7:00" another meaning
NEXT_WITHIN_S = 26 * 3600  # the next 07:00 is at most 25 h ahead: if later, the clock was wrong
EARLIEST = 1_767_225_600.0  # 2026-01-01, older than this code: an earlier clock is not set yet


Kind = Literal["timer", "alarm"]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Now, on both clocks, in seconds."""

    wall: float
    """Since 1970 (`time.time`)."""
    steady: float
    """Since some instant of this boot; this clock is never set."""
    boot: str = ""
    """Identifies the boot that `steady` counts from, the same in no other process; "": unknown."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm or a timer, as saved in the file."""

    id: int
    name: str
    due: Annotated[float, msgspec.Meta(ge=0, le=LATEST)]
    """Wall-clock time; follows the clock's last reading."""
    timer: bool
    """Set as a duration, not as an hour."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_TIMER_S)] = 0.0
    """A timer's duration; 0: unknown (a file of an earlier version)."""
    local: str = ""
    """An alarm's date and hour on the local clock, ``2027-03-28T07:00``."""
    fold: Literal[0, 1] = 0
    """1: the second time that the local clock shows `local` (PEP 495)."""
    any_day: bool = False
    """An alarm that was set without a day."""
    set_wall: Annotated[float, msgspec.Meta(ge=0, le=LATEST)] = 0.0
    """When it was set, by the clock of that moment; 0: unknown."""
    set_steady: float = 0.0
    """The same on the steady clock of `boot`."""
    boot: str = ""
    mended_wall: Annotated[float, msgspec.Meta(ge=0, le=LATEST)] = 0.0
    """When it was set, by a later clock that corrected the date; 0: no correction."""
    missed: bool = False
    """It was more than `RECENT_S` late when first found due, and was reported."""
    rang: bool = False
    """It has begun to ring and was not stopped."""
    snoozed: bool = False
    """An alarm that rings again: it runs like a timer, and is called an alarm."""

    @property
    def kind(self) -> Kind:
        """Its name for the user."""
        return "timer" if self.timer and not self.snoozed else "alarm"


class Alarms:
    """All alarms and timers that wait or ring."""

    def __init__(self, kept: Sequence[Alarm]) -> None:
        self._waiting: dict[int, Alarm] = {}  # includes the missed ones
        self._alarm_sound: dict[int, Alarm] = {}
        self._ours: set[int] = set()  # ids whose `set_steady` is on the steady clock of `now`
        self._at_most: dict[int, float] = {}  # latest steady time for timers of an earlier boot
        self._offset: float | None = None  # of the wall clock from the steady one
        self._moved: list[Alarm] = []
        self._next_id = 1 + max((alarm.id for alarm in kept if _counts(alarm.id)), default=0)
        for alarm in kept[:MOST_KEPT]:
            self._take_over(alarm)

    @property
    def waiting(self) -> list[Alarm]:
        """Alarms that have neither rung nor been missed, the next one first."""
        return sorted((a for a in self._waiting.values() if not a.missed), key=lambda a: a.due)

    @property
    def kept(self) -> list[Alarm]:
        """State for a restart: alarms that wait, were missed, or ring and were not stopped."""
        return [*self._alarm_sound.values(), *sorted(self._waiting.values(), key=lambda a: a.due)]

    def set_timer(self, seconds: float, name: str, now: ClockReading) -> Alarm:
        """Add a timer, due after a duration. Raises ValueError when there are too many."""
        self._follow_clock(now)
        due = within(now.wall + seconds)
        return self._add(Alarm(id=0, name=name, due=due, timer=True, seconds=seconds), now)

    def set_alarm(
        self, due: float, name: str, now: ClockReading | None = None, *, any_day: bool = False
    ) -> Alarm:
        """Add an alarm, due at an hour of the local clock. Raises ValueError if there are too many.

        `any_day`: no day was named, so it is the next such hour after `now`.
        """
        alarm = Alarm(id=0, name=name, due=within(due), timer=False, any_day=any_day)
        return self._add(msgspec.structs.replace(alarm, **_local(due)), now)

    def snooze(self, rang: Alarm, seconds: float, now: ClockReading) -> Alarm:
        """Let an alarm or timer ring again after a duration. Raises ValueError if there are too
        many."""
        self._follow_clock(now)
        due, again = within(now.wall + seconds), rang.kind == "alarm"
        alarm = Alarm(id=0, name=rang.name, due=due, timer=True, seconds=seconds, snoozed=again)
        return self._add(alarm, now)

    def find(self, name: str, kind: Kind | None = None) -> list[Alarm]:
        """The waiting alarms with this name (any case) and kind, the next one first; all of them if
        neither is given."""
        return [alarm for alarm in self.waiting if is_meant(alarm, name, kind)]

    def cancel(self, name: str, kind: Kind | None = None) -> list[Alarm]:
        """Remove the alarms that `find` returns, and return them.

        Missed ones are removed as well, but not returned.
        """
        gone = [alarm for alarm in self._waiting.values() if is_meant(alarm, name, kind)]
        for alarm in gone:
            self._forget(alarm)
        return sorted((a for a in gone if not a.missed), key=lambda a: a.due)

    def remove(self, alarm: Alarm) -> None:
        """Remove a waiting alarm."""
        self._forget(alarm)

    def take_due(self, now: ClockReading) -> tuple[list[Alarm], list[Alarm]]:
        """Return the alarms that ring now, and those missed too long ago to ring; each one once.

        A ringing alarm is kept until `stopped`. A missed one is kept too, and still rings if the
        clock turns out to have been wrong.
        """
        self._follow_clock(now)
        recent: list[Alarm] = []
        missed: list[Alarm] = []
        for alarm in self._by_due():
            if _unset(alarm, now):
                continue
            late_s = self._late_s(alarm, now)
            if late_s < 0:
                self._update(alarm, missed=False)
            elif late_s <= RECENT_S:
                self._forget(alarm)
                recent.append(msgspec.structs.replace(alarm, missed=False, rang=True))
            elif alarm.rang:
                self._forget(alarm)
                missed.append(alarm)
            elif not alarm.missed:
                missed.append(self._update(alarm, missed=True))
        self._forget_oldest_missed()
        self._alarm_sound |= {alarm.id: alarm for alarm in recent}
        return recent, missed

    def take_moved(self) -> list[Alarm]:
        """Alarms whose wrong date was corrected, with the new date; each is returned once."""
        moved, self._moved = self._moved, []
        return moved

    def stopped(self, ids: Sequence[int]) -> None:
        """Remove alarms that have rung; ignores unknown ids."""
        for number in ids:
            self._alarm_sound.pop(number, None)

    def ringing(self, ids: Sequence[int]) -> list[Alarm]:
        """Those of these alarms that ring; ignores unknown ids."""
        return [self._alarm_sound[number] for number in ids if number in self._alarm_sound]

    def left_s(self, alarm: Alarm, now: ClockReading) -> float:
        """Seconds until it rings."""
        return -self._late_s(alarm, now)

    # --- storage --------------------------------------------------------------------------

    def _add(self, alarm: Alarm, now: ClockReading | None) -> Alarm:
        if len(self.waiting) + len(self._alarm_sound) >= MOST:
            raise ValueError(f"there are {MOST} timers already, cancel some first")
        alarm = msgspec.structs.replace(alarm, id=self._next_id, name=cleaned(alarm.name))
        if now is not None:
            alarm = msgspec.structs.replace(
                alarm, set_wall=within(now.wall), set_steady=now.steady, boot=now.boot
            )
            self._ours.add(alarm.id)
        self._next_id += 1
        self._waiting[alarm.id] = alarm
        return alarm

    def _take_over(self, alarm: Alarm) -> None:
        """Add an alarm from the file, which may come from an earlier version or be damaged."""
        alarm = msgspec.structs.replace(alarm, name=cleaned(alarm.name))
        if not alarm.timer and parsed(alarm.local) is None:
            alarm = msgspec.structs.replace(alarm, **_local(alarm.due))
        if not _counts(alarm.id) or alarm.id in self._waiting:
            alarm = msgspec.structs.replace(alarm, id=self._next_id)
            self._next_id += 1
        self._waiting[alarm.id] = alarm

    def _by_due(self) -> list[Alarm]:
        return sorted(self._waiting.values(), key=lambda alarm: alarm.due)

    def _update(self, alarm: Alarm, **changes: object) -> Alarm:
        if any(getattr(alarm, name) != value for name, value in changes.items()):
            alarm = self._waiting[alarm.id] = msgspec.structs.replace(alarm, **changes)
        return alarm

    def _forget(self, alarm: Alarm) -> None:
        del self._waiting[alarm.id]
        self._ours.discard(alarm.id)
        self._at_most.pop(alarm.id, None)

    def _forget_oldest_missed(self) -> None:
        missed = [alarm for alarm in self._by_due() if alarm.missed]
        for alarm in missed[: max(0, len(missed) - MOST)]:
            self._forget(alarm)

    # --- clocks ---------------------------------------------------------------------------

    def _late_s(self, alarm: Alarm, now: ClockReading) -> float:
        if not alarm.timer:
            return now.wall - alarm.due
        if alarm.id in self._ours:
            return now.steady - (alarm.set_steady + alarm.seconds)
        at_most = now.steady - self._at_most.get(alarm.id, now.steady + LONGEST_TIMER_S)
        set_before = 0 < alarm.set_wall < EARLIEST <= now.wall  # how long it was off is unknown
        return at_most if set_before else max(at_most, now.wall - alarm.due)

    def _follow_clock(self, now: ClockReading) -> None:
        """Update `due` to the present clocks and time zone."""
        offset = now.wall - now.steady
        if self._offset is None:
            self._arrive(now)
        stepped = self._offset is None or abs(offset - self._offset) >= STEP_S
        if stepped:
            self._offset = offset
        for alarm in list(self._waiting.values()):
            if not alarm.timer:
                self._follow_hour(alarm, now)
            elif stepped and alarm.id in self._ours:
                self._update(alarm, due=within(alarm.set_steady + alarm.seconds + offset))

    def _arrive(self, now: ClockReading) -> None:
        """On the first reading of the clocks, find the saved alarms that were set in this boot."""
        for alarm in self._waiting.values():
            # later than now: a damaged file
            if alarm.boot and alarm.boot == now.boot and 0 <= alarm.set_steady <= now.steady:
                self._ours.add(alarm.id)
            elif alarm.timer and alarm.id not in self._ours:
                self._at_most[alarm.id] = now.steady + (alarm.seconds or LONGEST_TIMER_S)

    def _follow_hour(self, alarm: Alarm, now: ClockReading) -> None:
        """Set `due` to when the local clock shows the alarm's hour, and correct a date that came
        from a wrong clock or time zone."""
        local = parsed(alarm.local)
        assert local is not None
        due = epoch(local.replace(fold=alarm.fold))
        set_wall = None
        if alarm.any_day and not _unset(alarm, now):
            set_wall = self._set_wall(alarm, local, due, now)
        if set_wall is not None:
            mended = within(next_time(local.hour, local.minute, None, set_wall))
            if mended != due:
                alarm = self._update(alarm, due=mended, mended_wall=set_wall, **_local(mended))
                self._moved.append(alarm)
                return
        self._update(alarm, due=due)

    def _set_wall(
        self, alarm: Alarm, local: datetime, due: float, now: ClockReading
    ) -> float | None:
        """When the alarm was set, by the present clock; None: its date needs no correction.

        Within the boot that set it, this is known. After a reboot either of two saved clock
        readings may be the right one: the one that gives an hour in the future or just past.
        """
        if alarm.id in self._ours:
            was = within(now.wall - (now.steady - alarm.set_steady))
            dated = alarm.mended_wall or alarm.set_wall
            return was if abs(was - dated) >= WRONG_S else dated
        known = [
            wall
            for wall in (alarm.mended_wall, alarm.set_wall)
            if 0 < wall <= now.wall and not wall < EARLIEST <= now.wall
        ]
        for late_s in (0.0, RECENT_S):
            for wall in known:
                if now.wall - next_time(local.hour, local.minute, None, wall) <= late_s:
                    return wall
        if -NEXT_WITHIN_S <= now.wall - due <= RECENT_S:
            return None
        return max(known, default=within(now.wall))


def is_meant(alarm: Alarm, name: str, kind: Kind | None) -> bool:
    """Whether it has this name (any case) and kind; an empty one is that of every alarm."""
    if kind is not None and alarm.kind != kind:
        return False
    wanted = cleaned(name).lower()
    return not name or wanted == alarm.name.lower() != ""


def _unset(alarm: Alarm, now: ClockReading) -> bool:
    """The clock fell back to before this code was written: it says nothing about the alarm."""
    return not alarm.timer and now.wall < EARLIEST <= (alarm.set_wall or alarm.due)


def cleaned(name: str) -> str:
    """A name that is safe to speak, log and store: one short line without control characters."""
    kinds = [(c, unicodedata.category(c)) for c in name[:1000]]
    line = "".join(" " if kind == "Cc" else c for c, kind in kinds if kind not in ("Cf", "Cs"))
    return " ".join(line.split())[:LONGEST_NAME].rstrip()


def _counts(number: int) -> bool:
    return 0 < number < 2**53


def _local(due: float) -> dict[str, str | int]:
    """The fields of an `Alarm` that name this instant on the local clock."""
    local = datetime.fromtimestamp(within(due))
    return {"local": local.replace(fold=0).isoformat(timespec="minutes"), "fold": local.fold}
