"""Takes phrases about alarms from the data set of Schuster et al. 2019, unread, like `public.py`.

"Cross-lingual transfer learning for multilingual task oriented dialog" (NAACL 2019, CC BY-SA 4.0).
The source is a clone of the repository `vgtomahawk/LR_GC_OOD`. It has the English part without
slots, and adds sentences of no domain (ROSTD, Gangal et al. 2020). Hours, days and lengths are
therefore read here, independently of the grammar. Its splits `train` and `eval` were used for
development, `test` was not.
"""

import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tests.bench.phrases import public
from tests.bench.phrases.wanted import Phrase, Wanted, spelled

FOLDER = Path("code/data/fbrelease/unsup")
FILES = {"train": ("OODRemovedtrain.tsv", "eval.tsv"), "test": ("test.tsv",)}
COUNTS = {"in scope": 60, "out of scope": 60}
MOST_WORDS = 12
OTHERS = ("weather", "outOfDomain")
REMINDERS = ("reminder",)
"""Counted apart: a reminder of nothing but an hour is an alarm at that hour."""
_UNITS = {"sec": 1, "min": 60, "hour": 3_600, "hr": 3_600}
_NUMBERS = {spelled(f"{number}"): number for number in range(100)}
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_LENGTH = re.compile(
    rf"\b({_NUMBER}|(?:a )?half an?|a half|an?) (sec|min|hour|hr)\w*( and a half)?\b"
)
_HOUR = re.compile(
    rf"\b(half past |quarter past |quarter to )?({_NUMBER})(?: (?:oh )?({_NUMBER}))?( o'clock)?"
    r"( [ap] m)?\b|\b(noon|midday|midnight)\b"
)
_BEFORE_HOUR = re.compile(r"\b(at|for|to|by|from|my|the|until)( about| around)? $")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = re.compile(rf"\b(tomorrow|today|tonight|this (?=morning|evening|after)|{'|'.join(_DAYS)})")
_SHORT = re.compile(r"\b(mon|tues?|wed|thur?|fri|sat|sun)s?\b")
_REPEATS = re.compile(rf"\b(every|each|daily|weekdays?|repeat\w*|recurring|{'s|'.join(_DAYS)}s)\b")
_OURS = re.compile(r"^(?!.*\breset\b).*(alarm|snooze)")
"""To reset an alarm has three labels in the source."""
_MORE = re.compile(
    r"\b(next|weeks?|weekly|weekends?|months?|years?|first|second|last|before|after|between|"
    r"through|until|till|called|named?|label\w*|titled|snooz\w*|except|but|other|multiple|days?|"
    r"later|earlier|another|st|nd|rd|th|times|songs?|music|ringtone|vibrat\w*|sound|zone|january|"
    r"february|march|april|may|june|july|august|september|october|november|december|reminders?|"
    r"yesterday|dates?|early|late|evening and|morning and)\b"
)
"""Words that ask for more than one hour, day or length."""


def in_scope(clone: Path, split: str, seed: int | None, now: datetime) -> list[Phrase]:
    """Phrases that the skills can carry out, with their meaning; all of them without a seed."""
    read = (_read(label, _in_full(spelled(text)), now) for label, text in _sentences(clone, split))
    pool = sorted({p.text: p for p in read if p is not None}.values(), key=lambda p: p.text)
    count = len(pool) if seed is None else min(COUNTS["in scope"], len(pool))
    return random.Random(seed).sample(pool, count)


def out_of_scope(
    clone: Path, split: str, seed: int | None, domains: tuple[str, ...] = OTHERS
) -> list[Phrase]:
    """Phrases of other domains, which no skill can carry out; all of them without a seed."""
    pool = sorted(
        {
            spelled(text)
            for label, text in _sentences(clone, split)
            if label.startswith(domains) and 2 <= len(text.split()) <= public.MOST_WORDS_OUTSIDE
        }
    )
    count = len(pool) if seed is None else min(COUNTS["out of scope"], len(pool))
    return [Phrase(text, Wanted(None)) for text in random.Random(seed).sample(pool, count)]


def _sentences(clone: Path, split: str) -> Iterator[tuple[str, str]]:
    for name in FILES[split]:
        for line in (clone / FOLDER / name).read_text("utf-8").splitlines():
            label, _, text = line.split("\t")[:3]
            yield label, text.lower()


def _in_full(text: str) -> str:
    """With whole names of days."""
    return _SHORT.sub(lambda m: next(day for day in _DAYS if day.startswith(m[1])), text)


def _read(label: str, text: str, now: datetime) -> Phrase | None:
    """The meaning of a sentence that asks for one thing, and for no more than our skills can."""
    if not label.startswith("alarm") or len(text.split()) > MOST_WORDS or not _OURS.search(text):
        return None
    if label in ("alarm/show_alarms", "alarm/time_left_on_alarm"):
        return Phrase(text, Wanted("list_timers"))
    lengths, rest = _lengths(text)
    hours = _hours(rest)
    days = _days(rest, now)
    if hours is None or days is None or ("midnight" in text and days):
        return None  # a midnight belongs to two days
    if label != "alarm/set_alarm" and _REPEATS.search(text):
        return None
    if label == "alarm/snooze_alarm":
        fit = not hours and len(lengths) < 2 and not days
        return Phrase(text, Wanted("snooze", seconds=sum(lengths) or None)) if fit else None
    if _REPEATS.search(text):
        return Phrase(text, Wanted("repeated"))
    if _MORE.search(rest):
        return None
    wanted = {
        "alarm/set_alarm": _set,
        "alarm/cancel_alarm": _cancel,
        "alarm/modify_alarm": _move,
    }[label](text, lengths, hours, days, now)
    return Phrase(text, wanted) if wanted else None


_Hours = list[list[str]]


def _set(text: str, lengths: list[int], hours: _Hours, days: str, now: datetime) -> Wanted | None:
    if lengths:
        return None if hours or days else Wanted("set_timer", seconds=sum(lengths), name=None)
    if not hours:
        return Wanted("bare_alarm")
    over = days == f"{now:%Y-%m-%d}" and all(clock <= f"{now:%H:%M}" for clock in hours[0])
    if len(hours) > 1 or over:
        return None
    return Wanted("set_alarm", time=" or ".join(hours[0]), day=days, name=None)


def _cancel(
    text: str, lengths: list[int], hours: _Hours, days: str, now: datetime
) -> Wanted | None:
    if lengths or len(hours) > 1:
        return None
    every = True if re.search(r"\ball\b", text) else None if "alarms" in text else False
    time = " or ".join(hours[0]) if hours else ""
    return Wanted("cancel_timer", time=time, day=days, every=every, name=None)


def _move(text: str, lengths: list[int], hours: _Hours, days: str, now: datetime) -> Wanted | None:
    if lengths or not 1 <= len(hours) <= 2 or not re.search(r"\b(to|for|until|at)\b", text):
        return None
    if len(hours) == 1 and not re.search(rf"\b(to|for|until) ({_NUMBER}|noon|midnight)\b", text):
        return None
    return Wanted("move_alarm", time=" or ".join(hours[-1]), name=None)


def _lengths(text: str) -> tuple[list[int], str]:
    """The lengths in seconds, and the text without them."""
    found = []
    for count, unit, half in _LENGTH.findall(text):
        number = 0.5 if "half" in count else 1 if count[0] == "a" else _NUMBERS[count]
        found.append(round((number + 0.5 * bool(half)) * _UNITS[unit]))
    return found, _LENGTH.sub(" ", text)


def _hours(text: str) -> _Hours | None:
    """The times of a day that each hour of the text may mean; None: a number is not an hour."""
    found: _Hours = []
    for match in _HOUR.finditer(text):
        around, hour, minute, clock, half, word = match.groups()
        if word:
            found.append(["00:00" if word == "midnight" else "12:00"])
            continue
        sure = around or minute or clock or half or _BEFORE_HOUR.search(text[: match.start()])
        hours, minutes = _NUMBERS[hour], _NUMBERS[minute] if minute else 0
        if not sure or not 1 <= hours <= 23 or minutes > 59 or (around and minute):
            return None
        if around:
            minutes = {"half past": 30, "quarter past": 15, "quarter to": 45}[around.strip()]
            hours -= "to" in around
        found.append(_clocks(hours, minutes, half or "", text))
    return found


def _clocks(hours: int, minutes: int, half: str, text: str) -> list[str]:
    parts = [f"{hours % 12:02}:{minutes:02}", f"{hours % 12 + 12:02}:{minutes:02}"]
    if hours > 12:
        return [f"{hours:02}:{minutes:02}"]
    if half:
        return [parts["p" in half]]
    if "morning" in text:
        return parts[:1]
    return parts[1:] if re.search(r"\b(evening|afternoon|tonight)\b", text) else parts


def _days(text: str, now: datetime) -> str | None:
    """The day that is named, ``2026-11-23``; empty: none; None: more than one."""
    named = set(_DAY.findall(text))
    if len(named) > 1:
        return None
    if not named:
        return ""
    name = named.pop()
    later = (_DAYS.index(name) - now.weekday()) % 7 if name in _DAYS else name == "tomorrow"
    days = [later, later + 7] if name in _DAYS and later == 0 else [later]
    return " or ".join(f"{now + timedelta(days=number):%Y-%m-%d}" for number in days)
