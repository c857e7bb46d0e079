"""Hours of the local clock, and the instants at which it shows them.

The local time zone is the process's (`time.tzset`). Where a zone skips an hour or shows it
twice, RFC 5545 decides: a skipped hour uses the offset before the gap (2:30 rings at 3:30), and
a doubled hour is the first of the two.
"""

import math
from datetime import date, datetime, time, timedelta

LONGEST_DAYS = 731  # two years; a date further ahead is the model's mistake
LATEST = 32_503_680_000.0  # the year 3000: no clock shows more, but a damaged file may contain more
_YEARS = range(1969, 3001)  # valid years of local dates in a file


def next_time(hour: int, minute: int, day: date | None, wall: float) -> float:
    """When the wall clock (local time) next shows this hour, or shows it on this day.

    Raises ValueError if that is past, or more than `LONGEST_DAYS` ahead.
    """
    wall = within(wall)
    local = datetime.fromtimestamp(wall)
    if day is None:
        return _next(hour, minute, local, wall)
    if day > local.date() + timedelta(days=LONGEST_DAYS):
        raise ValueError(
            f"{day} is too far ahead: at most {LONGEST_DAYS} days are allowed, and this "
            f"speaker's clock shows {local:%Y-%m-%d}"
        )
    due = _on(day, hour, minute, local, wall) if day >= local.date() else None
    if due is None:
        wanted = datetime.combine(day, time(hour, minute))
        raise ValueError(
            f"{wanted:%H:%M on %A, %d %B %Y} is over, it is {local:%H:%M on %A, %d %B %Y}"
        )
    return due


def epoch(local: datetime) -> float:
    """The instant of a local time (its `fold` counts), limited to 1970 to `LATEST`."""
    try:
        return within(local.timestamp())
    except (ValueError, OverflowError, OSError):  # near the ends of the calendar
        return LATEST if local.year > 1970 else 0.0


def within(seconds: float) -> float:
    """Limit a time to the range of a state file; NaN becomes 0."""
    return min(max(seconds, 0.0), LATEST) if not math.isnan(seconds) else 0.0


def parsed(local: str) -> datetime | None:
    """Parse ``2027-03-28T07:00`` from a state file; None if the text is anything else."""
    try:
        found = datetime.fromisoformat(local)
    except ValueError:
        return None
    plain = found.tzinfo is None and found.year in _YEARS
    return found if plain else None


def _next(hour: int, minute: int, local: datetime, wall: float) -> float:
    for days in range(3):  # today, tomorrow, and the day after in case a zone skips a whole day
        due = _on(local.date() + timedelta(days=days), hour, minute, local, wall)
        if due is not None:
            return due
    raise ValueError(f"there is no {hour:02}:{minute:02} in the next three days")


def _on(day: date, hour: int, minute: int, local: datetime, wall: float) -> float | None:
    """The first instant after now on that day that shows this hour; None if it is past."""
    wanted = datetime.combine(day, time(hour, minute))
    for fold in (0, 1):
        due = wanted.replace(fold=fold).timestamp()
        exists = datetime.fromtimestamp(due) == wanted
        if due > wall and (exists or (fold == 0 and wanted > local)):
            return due
    return None
