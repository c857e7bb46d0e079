"""Hours and days in the user's words: which instant is meant, and how it is spoken back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from parleyd.embedded import grammar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WAKING_HOURS = range(4, 12)
"""To be woken at seven means the morning."""
DAYTIME_HOURS = range(6, 12)
"""The morning hours of an alarm with a day, if it does not say which half of the day."""

NIGHT_ENDS = 6
"""The hour at which a night ends."""

_HALF_DAY = timedelta(hours=12)
_AFTER = ("past", "after")
_BEFORE = ("to", "before", "of", "till")
_PARTS = ("morning", "afternoon", "evening", "night")


@dataclass(frozen=True, slots=True)
class AlarmTime:
    """When an alarm rings, by the local clock."""

    at: datetime
    day: date | None
    """The day that the user named; None: the next time that a clock shows this hour."""

    @property
    def hour(self) -> str:
        """``07:30``."""
        return f"{self.at:%H:%M}"


def alarm_time(words: str, now: datetime, *, wake: bool = False) -> AlarmTime | None:
    """The instant that a `when` of the grammar means; None if no clock shows such an hour.

    `wake`: to be woken, which happens in the morning. `now`: local time. The result may have
    passed if the user named today.
    """
    found = _clock(words)
    if found is None:
        return None
    hours, minutes, sure = found
    part = _part(words)
    day = _day(words, now)
    open_half = not (part or sure)
    if part:
        hours, sure = _in_part(hours, part), True
        if hours not in _HOURS_OF.get(_named_part(words), range(24)):
            return None
    if not sure:
        if hours % 12 in (WAKING_HOURS if wake else DAYTIME_HOURS if day else ()):
            hours, sure = hours % 12, True
        elif day and hours < 12:
            hours, sure = hours + 12, True
        elif day:
            sure = True
    if day is not None:
        at = datetime.combine(day, now.timetz()).replace(
            hour=hours, minute=minutes, second=0, microsecond=0
        )
        at += timedelta(days=_days_later(words, at, now))
        at = _to_come(at.replace(fold=0), now)
        if is_over(at, now) and open_half and at + _HALF_DAY > now and hours < 12:
            at += _HALF_DAY  # "today at eight", said after eight in the morning
        return AlarmTime(at, at.date())
    choices = [hours] if sure else [hours % 12, hours % 12 + 12]
    return AlarmTime(min(_next(choice, minutes, now) for choice in choices), None)


def alarm_clocks(words: str) -> list[str]:
    """``["07:00", "19:00"]``: each time of a day that words without a day can mean; none: []."""
    found = _clock(words)
    if found is None:
        return []
    hours, minutes, sure = found
    part = _part(words)
    meant = [_in_part(hours, part)] if part else [hours] if sure else [hours % 12, hours % 12 + 12]
    return [f"{hour:02}:{minutes:02}" for hour in meant]


def named_day(words: str, now: datetime) -> tuple[date | None, str]:
    """The day that words without an hour name (None: none), and its part (empty: the whole day).

    A night that has begun is that of the day before.
    """
    day, part = _day(words, now), _part(words).replace("tonight", "night")
    if day is None:
        return None, part
    if day == now.date():
        if part == "night" and now.hour < NIGHT_ENDS and not any(d in words for d in WEEKDAYS):
            day -= timedelta(days=1)
        day += timedelta(days=7 * ("next" in words))
    return day, part


def first_alarm(words: str, every: str, now: datetime) -> AlarmTime | None:
    """The first of the alarms that a `when` without a day and an `every` of the grammar mean."""
    parts = " ".join(part for part in _PARTS if part in every)
    found = alarm_time(f"{words} {parts}", now, wake=True)
    if found is None:
        return None
    named = {number for number, name in enumerate(WEEKDAYS) if name in every}
    if len(named) == 2 and re.search(r"day (through|to) ", every):
        first, last = sorted(named, key=lambda number: every.index(WEEKDAYS[number]))
        named = {(first + later) % 7 for later in range((last - first) % 7 + 1)}
    if "weekend" in every:
        named = {5, 6}
    elif re.search(r"\bweek ?(day|night)", every) and "of the week" not in every:
        named = set(range(5))
    days = named or set(range(7))
    for later in range(8):
        at = found.at.replace(year=now.year, month=now.month, day=now.day) + timedelta(days=later)
        if at > now and at.weekday() in days:
            return AlarmTime(at, at.date())
    return None


def coming_morning(words: str, found: AlarmTime, now: datetime) -> AlarmTime | None:
    """What "tomorrow at seven" may mean after midnight, before sleep; None: it is clear."""
    morning = "tomorrow" in words and found.at.hour in WAKING_HOURS
    if not morning or now.hour >= WAKING_HOURS.start:
        return None
    at = found.at - timedelta(days=1)
    return AlarmTime(at, at.date())


def spoken_time(at: datetime, now: datetime) -> str:
    """``tomorrow, Tuesday, at seven in the morning``."""
    if (at.hour, at.minute) == (0, 0) and at.date() > now.date():
        return _spoken_midnight(at, now)
    days = (at.date() - now.date()).days
    if days == 0:
        day = "today"
    elif days == 1:
        day = f"tomorrow, {at:%A},"
    elif days < 7:
        day = f"on {at:%A}"
    else:
        day = f"on {at:%A}, {at:%B} {at.day},"
    return f"{day} at {spoken_clock(at)}"


def _spoken_midnight(at: datetime, now: datetime) -> str:
    """A midnight belongs to two nights for people, so both days are said."""
    evening = at - timedelta(days=1)
    days = (evening.date() - now.date()).days
    if days == 0:
        return "tonight at midnight"
    date_of = f", {evening:%B} {evening.day}," if days >= 6 else ""
    return f"at midnight between {evening:%A}{date_of} and {at:%A}"


def spoken_clock(at: datetime) -> str:
    """``seven thirty in the evening``."""
    if (at.hour, at.minute) in ((0, 0), (12, 0)):
        return "noon" if at.hour else "midnight"
    minutes = f" {'oh ' if at.minute < 10 else ''}{grammar.spelled(at.minute)}" if at.minute else ""
    part = "in the morning"
    if at.hour >= 21:
        part = "at night"
    elif at.hour >= 18:
        part = "in the evening"
    elif at.hour >= 12:
        part = "in the afternoon"
    return f"{grammar.spelled(at.hour % 12 or 12)}{minutes} {part}"


def clock_face(at: datetime) -> str:
    """``7:30 PM``."""
    return f"{at.hour % 12 or 12}:{at.minute:02} {'AM' if at.hour < 12 else 'PM'}"


def words(slots: Mapping[str, str]) -> str:
    """The hour and the day of a phrase that may have them in several places."""
    named = (slots[name] for name in ("when", "hour", "exact", "day", "own") if slots.get(name))
    return re.sub(r"(?<=day)s\b|'s\b", "", " ".join(named))


def _clock(words: str) -> tuple[int, int, bool] | None:
    """Hours, minutes, and whether the hours are of a clock with 24 hours."""
    if re.search(r"\bnoon|midday", words):
        return 12, 0, True
    if "midnight" in words:
        return 0, 0, True
    drop = r"\b(a m|p m|in|the|this|at|for|on|next|today|tonight|tomorrow|minutes|%s)\b"
    said = re.sub(drop % "|".join((*_PARTS, *WEEKDAYS)), " ", words).split()
    for place, word in enumerate(said):
        if word in (*_AFTER, *_BEFORE):
            return _around(said[:place], word in _AFTER, " ".join(said[place + 1 :]))
    if said[:1] == ["half"]:
        return _around(["half"], True, " ".join(said[1:]))
    size = 2 if said[:1] == ["twenty"] and grammar.number(" ".join(said[1:2])) in (1, 2, 3) else 1
    hours, rest = grammar.number(" ".join(said[:size])), said[size:]
    minutes = grammar.number(" ".join(word for word in rest if word not in ("oh", "o'clock")))
    if not said or hours > 23 or minutes > 59:
        return None
    return hours, minutes, hours > 12


def _around(before: list[str], after: bool, hour: str) -> tuple[int, int, bool]:
    words = " ".join(before)
    minutes = 30 if "half" in words else 15 if "quarter" in words else grammar.number(words)
    hours = grammar.number(hour)
    if after:
        return hours, minutes, False
    return (hours - 1 or 12), 60 - minutes, False


_HOURS_OF = {"morning": range(12), "afternoon": range(12, 19), "evening": range(16, 24)}
"""Eleven in the afternoon is none. Midnight may be of any part."""


def _named_part(words: str) -> str:
    if re.search(r"\b(a m|midnight|p m)\b", words):
        return "morning" if "a m" in words else ""
    return _part(words)


def _part(words: str) -> str:
    if re.search(r"\ba m\b", words):
        return "morning"
    if re.search(r"\bp m\b", words):
        return "afternoon"
    return next((part for part in ("tonight", *_PARTS) if part in words), "")


def _in_part(hours: int, part: str) -> int:
    """The hour of a day with 24 hours."""
    if hours > 12:
        return hours
    if part == "morning" or (part in ("night", "tonight") and hours % 12 < NIGHT_ENDS):
        return hours % 12
    return hours % 12 + 12


def _day(words: str, now: datetime) -> date | None:
    """The day that was named."""
    if "tomorrow" in words:
        return now.date() + timedelta(days=1)
    for number, name in enumerate(WEEKDAYS):
        if name in words:
            return now.date() + timedelta(days=(number - now.weekday()) % 7)
    return now.date() if re.search(r"\b(today|tonight|this)\b", words) else None


def _days_later(words: str, at: datetime, now: datetime) -> int:
    """The days from `at`, on the named day, to the instant that is meant.

    A night belongs to the day on which it began, unless it has begun and `at` is still to come.
    """
    weekday = any(name in words for name in WEEKDAYS)
    of_night = _part(words) in ("night", "tonight") and at.hour < NIGHT_ENDS
    midnight_today = "midnight" in words and at.date() == now.date()
    if weekday:
        today = at.date() == now.date()
        at += timedelta(days=of_night)
        return of_night + 7 * (at <= now or (today and "next" in words))
    begun = at.date() == now.date() and now.hour < NIGHT_ENDS and at > now
    return int((of_night and not begun) or (midnight_today and at <= now))


def _next(hours: int, minutes: int, now: datetime) -> datetime:
    at = now.replace(hour=hours, minute=minutes, second=0, microsecond=0, fold=0)
    at = _to_come(at, now)
    return at + timedelta(days=1) if is_over(at, now) else at


def _to_come(at: datetime, now: datetime) -> datetime:
    """`at`, or the second time that the clock shows it (in autumn) if only that is to come."""
    again = at.replace(fold=1)
    return again if at <= now and now.timestamp() < again.timestamp() else at


def is_over(at: datetime, now: datetime) -> bool:
    """Whether an instant of `alarm_time` has passed."""
    return at <= now and not at.fold
