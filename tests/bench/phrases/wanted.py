"""The meaning of a phrase, and whether the answer fits."""

import re
from dataclasses import dataclass
from typing import Literal

from parleyd.embedded import grammar
from parleyd.embedded.intents import NOT_UNDERSTOOD, QUIET_PERCENT
from parleyd.embedded.plans import Call, Say

Verdict = Literal["right", "not understood", "something else", "destructive"]

_ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The intent, or the function with its arguments; no intent: nothing may happen."""

    intent: str | None
    seconds: int | None = None
    time: str | None = None
    percent: int | None = None
    steps: int | None = None
    name: str | None = ""
    """None: any name will do."""
    day: str | None = None
    """``2026-11-23``, or two such days with "or"; empty: no day; None: any."""
    every: bool | None = None
    """Of a cancel: all of them; None: perhaps."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to be said, in small letters without digits."""

    text: str
    wanted: Wanted


def spelled(text: str) -> str:
    """The text with its numbers in words, as a person says them."""
    text = re.sub(r"(\d) ?([ap])\.?m\b\.?", r"\1 \2 m", text.lower().replace("%", " percent"))
    text = re.sub(r"(\d)([a-z])", r"\1 \2", text)
    text = re.sub(r"(\d{1,2}):00\b", r"\1", text)
    text = re.sub(r"(\d{1,2}):0(\d)\b", lambda m: f"{_words(m[1])} oh {_words(m[2])}", text)
    text = text.replace(":", " ").replace("-", " ")
    text = re.sub(r"\d+", lambda m: _words(m[0]), text)
    return " ".join(re.sub(r"[^a-z' ]", " ", text).split())


def _words(digits: str) -> str:
    number = int(digits)
    if number < 20:
        return _ONES[number]
    if number < 100:
        return f"{_TENS[number // 10 - 2]} {_ONES[number % 10] if number % 10 else ''}".strip()
    if number < 1_000:
        return f"{_ONES[number // 100]} hundred {_words(str(number % 100)) if number % 100 else ''}"
    return " ".join(_ONES[int(digit)] for digit in digits)


@dataclass(frozen=True, slots=True)
class Done:
    """The server's answer to an utterance."""

    heard: str
    plan: Say | Call

    @property
    def understood(self) -> bool:
        return self.plan != Say(NOT_UNDERSTOOD)

    @property
    def asked(self) -> bool:
        """A question came first; nothing happens without a yes."""
        return isinstance(self.plan, Say) and self.plan.offer is not None

    @property
    def call(self) -> Call | None:
        return self.plan if isinstance(self.plan, Call) else self.plan.offer


def judged(wanted: Wanted, done: Done) -> Verdict:
    """Whether the right thing was done. A question with the right offer is right."""
    if not done.understood:
        return "not understood"
    if wanted.intent is not None and _fits(wanted, done):
        return "right"
    if done.asked:
        return "not understood"  # and a no ends it
    return "destructive" if _is_destructive(done.call) else "something else"


def _fits(wanted: Wanted, done: Done) -> bool:
    call = done.call
    if wanted.intent in ("snooze", "move_alarm"):
        return call is not None and _has_same(wanted, call)
    if call is None or wanted.intent not in (
        "set_timer",
        "set_alarm",
        "set_volume",
        "change_volume",
    ):
        found = grammar.match(done.heard)
        intent = {
            "cancel_all": "cancel_timer",
            "cancel_at": "cancel_timer",
            "bare_repeated": "repeated",
            "bare_wake": "bare_alarm",
            "more": "help",
            "no": "stop",
        }
        name = intent.get(found[0], found[0]) if found else ""
        named = wanted.name is None or call is None or call.arguments.get("name", "") == wanted.name
        cancels = wanted.intent == "cancel_timer"
        same = not cancels or (named and (call is None or _cancels_same(wanted, call)))
        return name == wanted.intent and same
    if not _is_day(wanted, call) or not _is_time(wanted, call):
        return False
    arguments = {key: value for key, value in call.arguments.items() if key not in ("day", "time")}
    if wanted.name is None:
        arguments.pop("name", None)
    expected = {
        "seconds": wanted.seconds, "percent": wanted.percent, "steps": wanted.steps,
        "name": wanted.name or None,
    }  # fmt: skip
    return call.name == wanted.intent and arguments == {
        key: value for key, value in expected.items() if value is not None
    }


def _has_same(wanted: Wanted, call: Call) -> bool:
    """A snooze of the given length, or a move to the given hour."""
    if wanted.intent == "move_alarm":
        return bool(call.arguments.get("move")) and _is_time(wanted, call)
    seconds = 60 * call.arguments.get("minutes", 0)
    return call.name == "snooze" and wanted.seconds in (None, seconds)


def _cancels_same(wanted: Wanted, call: Call) -> bool:
    every = wanted.every in (None, call.arguments.get("every", False))
    return every and _is_day(wanted, call) and _is_time(wanted, call)


def _is_time(wanted: Wanted, call: Call) -> bool:
    """Whether it is the given hour, or one of two hours that the words can mean."""
    given = set(call.arguments.get("time", "").split(" or "))
    return wanted.time is None or bool(given & set(wanted.time.split(" or ")))


def _is_day(wanted: Wanted, call: Call) -> bool:
    return wanted.day is None or call.arguments.get("day", "") in wanted.day.split(" or ")


def _is_destructive(call: Call | None) -> bool:
    if call is None:
        return False
    quiet = call.name == "set_volume" and call.arguments["percent"] < QUIET_PERCENT
    return quiet or call.name in ("cancel_timers", "mute_microphone")
