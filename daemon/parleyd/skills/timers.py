"""Timers and alarms by voice."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from parleyd.skills import skill
from parleyd.skills.alarms import (
    EARLIEST,
    LONGEST_NAME,
    LONGEST_TIMER_S,
    Alarm,
    Alarms,
    ClockReading,
    Kind,
    cleaned,
)
from parleyd.skills.hours import LONGEST_DAYS, next_time
from parleyd.skills.wanted import Part, Wanted
from parleyd.system.repeats import ONE_OF_A_LIST

LONGEST_S = LONGEST_TIMER_S
SNOOZE_MIN = 9  # of most alarm clocks
LONGEST_SNOOZE_MIN = 180
SNOOZE_WITHIN_S = 600.0  # after the ringing; later, there is nothing to snooze
RETRY_S = 30.0  # between attempts to save: retrying does not empty a full disk

log = logging.getLogger(__name__)

_CLOCK = "([01]?[0-9]|2[0-3]):[0-5][0-9]"

Name = Annotated[str, Meta(max_length=LONGEST_NAME, description="its purpose, if said")]


class Timers:
    """The skills, on the event loop; `keep` saves the alarms, and may block (OSError)."""

    def __init__(
        self,
        kept: Sequence[Alarm],
        clock: Callable[[], ClockReading],
        keep: Callable[[Sequence[Alarm]], None] = lambda alarms: None,
    ) -> None:
        self._clock = clock
        self._alarms = Alarms(kept)
        self._keep = keep
        self._kept: list[Alarm] | None = None  # None: unknown, so `save` writes
        self._unkept: list[Alarm] | None = None  # the last state that could not be written
        self._retry_at = 0.0
        self._keeping = asyncio.Lock()
        self._rang: list[Alarm] = []  # last
        self._rang_at = 0.0
        self._again: list[Alarm] = []  # those of `_rang` that were snoozed

    def take_due(self) -> list[Alarm]:
        """Return the alarms that ring from now on, each one once. Logs the missed ones."""
        recent, missed = self._alarms.take_due(self._clock())
        for alarm in self._alarms.take_moved():
            log.warning(
                "the clock or its time zone was wrong when an alarm was set: the alarm rings at %s",
                _hour(alarm),
                extra=ONE_OF_A_LIST,
            )
        for alarm in missed:
            log.warning(
                "missed an alarm at %s: the device was off or its clock was wrong",
                _hour(alarm),
                extra=ONE_OF_A_LIST,
            )
        return recent

    def waiting(self) -> list[tuple[Alarm, float]]:
        """The timers and alarms that are set, the next one first, and the seconds left."""
        now = self._clock()
        return [
            (alarm, max(0.0, self._alarms.left_s(alarm, now))) for alarm in self._alarms.waiting
        ]

    @property
    def local_time(self) -> datetime:
        """Now, on the local clock."""
        return datetime.fromtimestamp(self._clock().wall)

    def stopped(self, ids: Sequence[int]) -> None:
        """Remove alarms that have rung and were stopped."""
        rang = self.ringing(ids)
        if rang and rang != self._rang:
            self._rang, self._again = rang, []
        self._rang_at = self._clock().steady
        self._alarms.stopped(ids)

    def ringing(self, ids: Sequence[int]) -> list[Alarm]:
        """Those of these alarms that ring."""
        return self._alarms.ringing(ids)

    async def save(self) -> bool:
        """Bring the file up to date, off the event loop; False (and a warning) on failure.

        A failed write is repeated after `RETRY_S`, without another warning.
        """
        async with self._keeping:
            kept, now = self._alarms.kept, self._clock().steady
            if kept == self._kept:
                return True
            if kept == self._unkept and now < self._retry_at:
                return False
            try:
                await asyncio.to_thread(self._keep, kept)
            except OSError as error:
                if kept != self._unkept:
                    log.warning("timers would not survive a restart: %s", error)
                self._unkept, self._retry_at = kept, now + RETRY_S
                return False
            self._kept, self._unkept = kept, None
            return True

    @skill
    async def set_timer(
        self, seconds: Annotated[int, Meta(ge=1, le=LONGEST_S)], name: Name = ""
    ) -> str:
        """Set a kitchen timer that rings on this speaker. There may be several."""
        alarm = self._alarms.set_timer(seconds, name, self._clock())
        return await self._confirmed(f"The {_what(alarm)} rings in {seconds} seconds.")

    @skill
    async def snooze(
        self, minutes: Annotated[int, Meta(ge=1, le=LONGEST_SNOOZE_MIN)] = SNOOZE_MIN
    ) -> str:
        """Let the alarm or timer that has just rung ring again, by default after 9 minutes."""
        if not self._rang or self._clock().steady - self._rang_at > SNOOZE_WITHIN_S:
            raise ValueError(f"nothing rang in the last {round(SNOOZE_WITHIN_S / 60)} minutes")
        return await self._ring_again(minutes)

    async def snooze_ringing(self, ids: Sequence[int], minutes: int = SNOOZE_MIN) -> str:
        """Let these alarms, which ring, ring again; they are to be stopped. Raises ValueError."""
        self._rang, self._again = self.ringing(ids), []
        return await self._ring_again(minutes)

    async def _ring_again(self, minutes: int) -> str:
        now = self._clock()
        for alarm in set(self._again) & set(self._alarms.waiting):
            self._alarms.remove(alarm)
        self._again = [self._alarms.snooze(alarm, 60 * minutes, now) for alarm in self._rang]
        what = " and the ".join(_what(alarm) for alarm in self._again)
        ring = "ring" if len(self._again) > 1 else "rings"
        return await self._confirmed(f"The {what} {ring} again in {60 * minutes} seconds.")

    @skill
    async def set_alarm(
        self,
        time: Annotated[
            str,
            Meta(pattern=rf"^{_CLOCK}( or {_CLOCK})?$", description="HH:MM, 24 hours"),
        ],
        name: Name = "",
        day: Annotated[
            date | None,
            Meta(description=f"if not its next occurrence; at most {LONGEST_DAYS} days ahead"),
        ] = None,
        move: Annotated[bool, Meta(description="change the only alarm instead")] = False,
        old_time: Annotated[
            str,
            Meta(
                pattern=rf"^({_CLOCK}( or {_CLOCK})?)?$",
                description="of the alarm to change, if said: HH:MM",
            ),
        ] = "",
    ) -> str:
        """Set an alarm that rings on this speaker at an hour of its local time."""
        now, any_day = self._clock(), day is None
        old = self._only(name, old_time) if move or old_time else None
        if old is None and " " in time:
            raise ValueError(f"{time}: one of the two, unless an alarm is changed")
        if old is not None:
            # Without a day it stays on its day. Of two hours the one nearer to the old one counts.
            was = datetime.fromtimestamp(old.due)
            time = min(time.split(" or "), key=lambda clock: _apart(clock, was))
            name, any_day = old.name, any_day and old.any_day
            day = day or (was.date() if _is_later(was.date(), time, now.wall) else None)
        hour, minute = map(int, time.split(":"))
        due = next_time(hour, minute, day, now.wall)
        if old is not None:
            self._alarms.remove(old)
            any_day = any_day and due == next_time(hour, minute, None, now.wall)
        alarm = self._same(due, name) or self._alarms.set_alarm(due, name, now, any_day=any_day)
        text = f"The {_what(alarm)} rings at {_hour(alarm)}."
        if not _shows(due, hour, minute):
            text += f" There is no {time} on that day: the clock is put forward then."
        if now.wall < EARLIEST:
            text += " This speaker's clock is not set yet: the day may change when it is."
        return await self._confirmed(text)

    @skill
    def list_timers(self) -> str:
        """List the timers and alarms that are set, and the time left."""
        lines = [
            f"{_what(alarm)}: in {round(left_s)} seconds"
            + ("" if alarm.timer else f", at {_hour(alarm)}")
            for alarm, left_s in self.waiting()
        ]
        return ". ".join(lines) + "." if lines else "No timer and no alarm is set."

    @skill
    async def cancel_timers(
        self,
        name: Name = "",
        kind: Annotated[Kind | None, Meta(description="if one of them was said")] = None,
        every: Annotated[bool, Meta(description="all of them; only if that was asked for")] = False,
        time: Annotated[
            str,
            Meta(
                pattern=rf"^({_CLOCK}( or {_CLOCK})?)?$",
                description="of an alarm: HH:MM, 24 hours, or two such with 'or'",
            ),
        ] = "",
        day: Annotated[date | None, Meta(description="of an alarm, if said")] = None,
        part: Annotated[Part | None, Meta(description="of this day, if no time was said")] = None,
        seconds: Annotated[
            int, Meta(ge=0, le=LONGEST_S, description="a timer's whole duration, if said")
        ] = 0,
    ) -> str:
        """Cancel a timer or an alarm: the one that has all that was said, or the only one; with
        `every`, all of them."""
        wanted = Wanted(name=name, kind=kind, time=time, day=day, part=part, seconds=seconds)
        told = wanted.told
        found = [alarm for alarm in self._alarms.waiting if wanted.fits(alarm)]
        if len(found) > 1 and not every:
            raise ValueError(
                f"there are {len(found)}: {_told_apart(found)}; say which one by its name, hour or "
                "length, or say all"
            )
        if not found and (name or kind or told):
            called = f" called {name}" if name else " like that" if told else ""
            there = _names(self._alarms.waiting) or "none"
            raise ValueError(f"there is no {kind or 'timer'}{called}; there are: {there}")
        gone = found if told else self._alarms.cancel(name, kind)
        if told:
            for alarm in found:
                self._alarms.remove(alarm)
        await self.save()
        if len(gone) == 1:
            return f"The {_what(gone[0])} is cancelled."
        return f"{_counted(gone)} are cancelled." if gone else "No timer and no alarm is set."

    def _same(self, due: float, name: str) -> Alarm | None:
        """An equal alarm that is set already: one of two could not be named."""
        of_name = self._alarms.find(cleaned(name), "alarm")
        called = cleaned(name).lower()
        alike = (a for a in of_name if a.due == due and a.name.lower() == called)
        return next(alike, None)

    def _only(self, name: str, time: str) -> Alarm:
        """Return the alarm with this name and hour, or the only one. Raises ValueError."""
        wanted = Wanted(name=name, kind="alarm", time=time)
        found = [alarm for alarm in self._alarms.waiting if wanted.fits(alarm)]
        if len(found) != 1:
            at = f" at {time}" if time else ""
            there = _names(found or self._alarms.find("", "alarm"))
            if found:
                raise ValueError(f"there are {len(found)} alarms{at}: {there}; say the hour of one")
            others = f"; there are: {there}" if there else ""
            raise ValueError(f"there is no alarm{at} to change{others}")
        return found[0]

    async def _confirmed(self, text: str) -> str:
        if await self.save():
            return text
        return f"{text} It would be lost if the power failed, because it cannot be written down."


def spoken(alarm: Alarm) -> str:
    """The announcement while it rings."""
    return f"{_what(alarm) if alarm.name else 'your ' + _what(alarm)}."


def _names(alarms: Sequence[Alarm]) -> str:
    return ", ".join(
        _what(alarm) + ("" if alarm.timer else f" at {_hour(alarm)}") for alarm in alarms
    )


def _told_apart(alarms: Sequence[Alarm]) -> str:
    return ", ".join(
        f"{_what(alarm)} of {round(alarm.seconds)} seconds" if alarm.timer else _names([alarm])
        for alarm in alarms
    )


def _apart(clock: str, was: datetime) -> int:
    """Minutes between a time of the day and that of another instant."""
    hour, minute = map(int, clock.split(":"))
    return abs(60 * (hour - was.hour) + minute - was.minute)


def _is_later(day: date, clock: str, wall: float) -> bool:
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute).timestamp() > wall


def _what(alarm: Alarm) -> str:
    return f"{alarm.name} {alarm.kind}".lstrip()


def _counted(alarms: Sequence[Alarm]) -> str:
    """``2 timers and 1 alarm``."""
    timers = sum(alarm.kind == "timer" for alarm in alarms)
    kinds = (("timer", timers), ("alarm", len(alarms) - timers))
    return " and ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds if count)


def _hour(alarm: Alarm) -> str:
    return f"{datetime.fromtimestamp(alarm.due):%H:%M on %A, %d %B}"


def _shows(due: float, hour: int, minute: int) -> bool:
    local = datetime.fromtimestamp(due)
    return (local.hour, local.minute) == (hour, minute)
