"""The answer after a function of the client has returned: its words, made speakable."""

import re
from datetime import datetime
from typing import Any

import msgspec

from parleyd.embedded import when


def confirm(
    name: str, arguments: str, output: str, now: datetime, *, announcement: str = ""
) -> tuple[str, ...]:
    """The sentences of the answer after the client's function returned `output` (text or JSON).

    `announcement`: the sentence before the call; a success that says the same is not
    said again, and everything else is.
    """
    returned = _parsed(output, otherwise=output)
    if returned is False:
        return ("That did not work.",)
    if isinstance(returned, dict):
        if returned.get("error"):
            reason = _speakable(_flat(returned["error"]), now)
            return (f"That did not work: {reason.rstrip('.')}.",)
        returned = returned.get("message") or returned.get("text")
    if isinstance(returned, str) and returned.strip():
        said = sentences(_speakable(_flat(returned), now))
        return (said[1:] or ("Done.",)) if _told(said[0], announcement) else said
    return (_done(name, arguments),)


def spoken_duration(seconds: int) -> str:
    """``90`` as ``1 minute and 30 seconds``."""
    parts = []
    for size, unit in ((3_600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " and ".join(parts) or "no time"


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, each of which is spoken by itself."""
    parts = text.replace("? ", "?\n").replace("! ", "!\n").replace(". ", ".\n").split("\n")
    return tuple(part for part in parts if part.strip())


def _flat(value: Any) -> str:
    """A returned value as one line of words; for an object, its message."""
    if isinstance(value, dict):
        value = value.get("message")
    if not isinstance(value, str | int | float):
        value = "no reason was given"
    return " ".join(str(value).split())


def _parsed(text: str, otherwise: Any = None) -> Any:
    """The value of JSON; `otherwise` for other text, and for JSON that UTF-8 cannot encode."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return otherwise


_HOUR = re.compile(r"\bat (\d\d:\d\d) on \w+, (\d{1,2} [A-Z]\w+)\b")
"""An hour of the skills: ``at 07:00 on Tuesday, 01 December``."""


def _as_hour(found: re.Match[str], now: datetime) -> str:
    """The hour as a person says it; its year is the one that makes it come next."""
    for year in (now.year, now.year + 1):
        try:
            at = datetime.strptime(f"{found[1]} {found[2]} {year}", "%H:%M %d %B %Y")
        except ValueError:
            continue
        if (at.date() - now.date()).days >= 0:
            return when.spoken_time(at, now)
    return found[0]


def _speakable(text: str, now: datetime) -> str:
    """The hours and the durations of a skill's text as a person says them."""
    words = _HOUR.sub(lambda found: _as_hour(found, now), text)
    return re.sub(r"\b(\d{1,6}) (second|minute)s\b", _as_duration, words)


def _as_duration(found: re.Match[str]) -> str:
    return spoken_duration(int(found[1]) * (60 if found[2] == "minute" else 1))


_SUCCESS = re.compile(
    r"The (?:(?:.+ )?alarm rings|microphone is closed for|volume is) (.+?)(?: now)?\."
    r"|The (.+) is cancelled\."
)
"""A success of the skills, with the words that the announcement must have had, too."""


def _told(sentence: str, announcement: str) -> bool:
    """Whether the announcement said the same. Failures and other hours or names are news."""
    found = _SUCCESS.fullmatch(sentence)
    same = found and re.search(rf"\b{re.escape(found[1] or found[2])}[.]$", announcement)
    return same is not None


def _done(name: str, arguments: str) -> str:
    """A confirmation from the arguments, for functions that return no words."""
    given = _parsed(arguments)
    if not isinstance(given, dict):
        return "Done."
    if name == "set_timer" and isinstance(given.get("seconds"), int):
        return f"The timer is set for {spoken_duration(given['seconds'])}."
    if name == "set_volume" and isinstance(given.get("percent"), int | float):
        return f"The volume is {given['percent']} percent."
    return "Done."
