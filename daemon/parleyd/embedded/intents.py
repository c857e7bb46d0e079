"""From the user's words to the answer: pure, without speech or socket."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from parleyd.embedded import grammar
from parleyd.embedded.stories import STORIES, is_told_in, rest_after

HELP = (
    "You can ask me for the time or the date.",
    "Say, set a timer for ten minutes, wake me at seven, or, cancel the timer.",
    "Say, volume up, volume down, or, set the volume to forty percent.",
    "Say, tell me a story, and interrupt me whenever you like.",
    "Then, go on, takes up the story where you stopped me.",
    "I work without a network, so commands are all that I understand.",
)
NOT_UNDERSTOOD = ("Sorry, I did not understand that.", "You can ask me, what can I say?")
GREETING = ("Hello.", "What can I do for you?")
VOLUME_STEP = 1
"""One step of `change_volume`; the device decides how large a step is."""


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with these sentences."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Call this function of the client; the answer follows when it returns."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntentContext:
    """Everything that an answer may depend on besides the words."""

    local_time: datetime
    tools: frozenset[str] = frozenset()
    """Names of the functions that the client declared."""
    answers: Sequence[str] = ()
    """The heard part of each answer so far, oldest first."""


def answer(said: str, context: IntentContext) -> Say | Call:
    """The answer to one utterance; `said` is empty if nothing was recognised."""
    found = grammar.match(said)
    if found is None:
        return Say(NOT_UNDERSTOOD)
    intent, slots = found
    match intent:
        case "time":
            return Say((f"It is {_clock(context.local_time)}.",))
        case "date":
            return Say((f"Today is {_calendar(context.local_time)}.",))
        case "set_timer":
            arguments: dict[str, Any] = {"seconds": grammar.seconds(slots["duration"])}
            if arguments["seconds"] == 0:
                return Say(("A timer needs at least one second.",))
            if "label" in slots:
                arguments["name"] = slots["label"]
            return _call("set_timer", arguments, context, "set timers")
        case "cancel_timer":
            return _call("cancel_timers", {}, context, "cancel timers")
        case "set_alarm":
            due = _next_hour(slots["hour"], context.local_time)
            if due is None:
                return Say(("No clock shows that hour.",))
            return _call("set_alarm", {"time": due}, context, "set alarms")
        case "list_timers":
            return _call("list_timers", {}, context, "set timers")
        case "mute":
            minutes = max(1, -(-grammar.seconds(slots["duration"]) // 60))
            arguments = {"minutes": minutes}
            return _call("mute_microphone", arguments, context, "close its microphone")
        case "volume_up":
            return _call("change_volume", {"steps": VOLUME_STEP}, context, "change its volume")
        case "volume_down":
            return _call("change_volume", {"steps": -VOLUME_STEP}, context, "change its volume")
        case "volume_set":
            percent = min(grammar.number(slots["percent"]), 100)
            return _call("set_volume", {"percent": percent}, context, "set its volume")
        case "story":
            return Say(_story(slots.get("story"), context.answers))
        case "help":
            return Say(HELP)
        case "stop":
            return Say(("Okay.",))
        case "repeat" if "say_again" in context.tools and context.answers:
            return Call("say_again", {})
        case "repeat":
            return Say(_sentences(context.answers[-1]) if context.answers else GREETING)
        case "go_on":
            return Say(_rest(context.answers))
        case "thanks":
            return Say(("You are welcome.",))
        case _:
            return Say(GREETING)


def confirm(name: str, arguments: str, output: str) -> Say:
    """The answer after the client's function returned `output` (text or JSON)."""
    returned = _parsed(output, otherwise=output)
    if isinstance(returned, dict):
        if returned.get("error"):
            return Say((f"That did not work: {_flat(returned['error']).rstrip('.')}.",))
        returned = returned.get("message") or returned.get("text")
    if isinstance(returned, str) and returned.strip():
        words = re.sub(r"\b(\d{1,6}) seconds\b", _as_duration, _flat(returned))
        return Say(_sentences(words))
    return Say((_done(name, arguments),))


def spoken_duration(seconds: int) -> str:
    """``90`` as ``1 minute and 30 seconds``."""
    parts = []
    for size, unit in ((3_600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " and ".join(parts) or "no time"


def _call(name: str, arguments: dict[str, Any], context: IntentContext, ability: str) -> Say | Call:
    if name in context.tools:
        return Call(name, arguments)
    return Say((f"Sorry, this device can't {ability}.",))


def _next_hour(said: str, now: datetime) -> str | None:
    """The spoken hour as HH:MM; if it has two meanings, the next one."""
    found = grammar.hour(said)
    if found is None:
        return None
    hours, minutes, sure = found
    both = [hours] if sure else [hours % 12, hours % 12 + 12]
    passed = now.hour * 60 + now.minute
    soonest = min(both, key=lambda h: (h * 60 + minutes - passed - 1) % (24 * 60))
    return f"{soonest:02}:{minutes:02}"


def _clock(now: datetime) -> str:
    return f"{now.hour % 12 or 12}:{now.minute:02} {'AM' if now.hour < 12 else 'PM'}"


def _calendar(now: datetime) -> str:
    ending = (
        "th" if now.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(now.day % 10, "th")
    )
    return f"{now:%A}, {now:%B} {now.day}{ending}, {now.year}"


def _story(title: str | None, answers: Sequence[str]) -> tuple[str, ...]:
    """The requested story, otherwise the first that is new to this conversation."""
    if title is None:
        heard = " ".join(answers)
        fresh = (name for name in STORIES if not is_told_in(name, heard))
        title = next(fresh, next(iter(STORIES)))
    return STORIES[title]


def _rest(answers: Sequence[str]) -> tuple[str, ...]:
    """The rest of the newest story, from the last sentence that was heard."""
    for index in range(len(answers) - 1, -1, -1):
        rest = rest_after(answers[index])
        if rest:
            return rest
        if any(is_told_in(title, answers[index]) for title in STORIES):
            return ("That was the end of the story.",)
    return ("There is nothing to go on with.", "You can ask me for a story.")


def _sentences(text: str) -> tuple[str, ...]:
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


def _as_duration(found: re.Match[str]) -> str:
    return spoken_duration(int(found[1]))


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
