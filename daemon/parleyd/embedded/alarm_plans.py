"""The plans for alarms, and for cancelling alarms and timers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from parleyd.embedded import grammar, when
from parleyd.embedded.confirmation import spoken_duration
from parleyd.embedded.plans import Call, IntentContext, Say, asked_question, careful

WHEN = "At what time?"
WAKE_WHEN = "When shall I wake you?"
SINGLE = "I can set single alarms only."
"""The answer to an alarm that repeats, before an offer of its first time."""


def alarm(words: str, intent: str, context: IntentContext, *, name: str = "") -> Say | Call:
    """Set the alarm for a `when` of the grammar; a Say if that is impossible."""
    now, wake = context.local_time, intent == "wake_me"
    found = when.alarm_time(words, now, wake=wake)
    if found is None:
        return Say(("No clock shows that hour.",))
    if when.is_over(found.at, now):
        return Say((f"It is already {when.clock_face(now)}.", WAKE_WHEN if wake else WHEN))
    today = when.coming_morning(words, found, now)
    if today is not None:
        offer = _set(today, wake, replace(context, spoken=True, sure=False))
        assert isinstance(offer, Say)  # it is not sure
        hint = f"It is already {now:%A}; for {found.at:%A}, say its name."
        return replace(offer, sentences=(hint, *offer.sentences))
    return _set(found, wake, context, name)


def asking(alarm_not_wake: bool, day: str) -> Say:
    """The question for the hour, which keeps a day that was named, or days that repeat."""
    question = WHEN if alarm_not_wake else WAKE_WHEN
    first = "on " if day.startswith(when.WEEKDAYS) else ""
    named = [
        word.capitalize() if word.startswith(when.WEEKDAYS) else word
        for word in f"{first}{day}".split()
    ]
    return Say((" ".join((question[:-1], *named)) + "?",))


def asked_for(question: str) -> tuple[str, str]:
    """The intent whose hour this question asks for, and its day; empty: another question."""
    for asked, intent in ((WHEN, "set_alarm"), (WAKE_WHEN, "wake_me")):
        if question.startswith(asked[:-1]):
            return intent, question[len(asked) - 1 : -1].strip().lower()
    return "", ""


def answered(words: str, context: IntentContext) -> Say | Call | None:
    """Set the alarm whose hour, or day and hour, answers the last question; None: not asked."""
    intent, day = asked_for(asked_question(context))
    if not intent:
        return None
    if not _REPEATS.search(day):
        return alarm(f"{words} {day}", intent, context)
    if when.named_day(words, context.local_time)[0] is None:
        return repeated({"hour": words, "every": day}, context)
    return alarm(words, intent, context)


def repeating(slots: Mapping[str, str]) -> Say:
    """An alarm that repeats, whose hour was not said."""
    said = slots["said"].split()
    every = slots.get("every") or ("every weekday" if "weekday" in said else "every day")
    return Say((SINGLE, *asking("wake" not in said, every).sentences))


_REPEATS = re.compile(r"\b(every|each|daily|weekends|\w+days)\b")


def _set(found: when.AlarmTime, wake: bool, context: IntentContext, name: str = "") -> Say | Call:
    arguments: dict[str, Any] = {"time": found.hour}
    if name:
        arguments["name"] = name
    if found.day is not None:
        arguments["day"] = f"{found.day}"
    time = when.spoken_time(found.at, context.local_time)
    did = f"I will wake you {time}." if wake else f"The alarm will ring {time}."
    ask = f"wake you {time}" if wake else f"set an alarm for {time.removeprefix('at ')}"
    return careful("set_alarm", arguments, did, ask, context)


def moved(slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    """Move the alarm at an hour, or the only one. Without a day it stays on its day."""
    words, now = when.words(slots), context.local_time
    clocks = when.alarm_clocks(words)
    found = when.alarm_time(words, now, wake="wake" in slots["said"].split())
    if found is None:
        return Say(("No clock shows that hour.",))
    arguments: dict[str, Any] = {"time": " or ".join(clocks), "move": True}
    to = next(slots[name] for name in ("when", "hour", "exact") if name in slots)
    if found.day is not None:
        if when.is_over(found.at, now):
            return Say((f"It is already {when.clock_face(now)}.", WHEN))
        arguments |= {"time": found.hour, "day": f"{found.day}"}
        to = when.spoken_time(found.at, now).removeprefix("on ").removeprefix("at ")
    which = "the alarm"
    if old := slots.get("from") or slots.get("old"):
        arguments["old_time"] = " or ".join(when.alarm_clocks(old))
        which = f"the {old} alarm"
    did = f"I move {which} to {to}."
    return careful("set_alarm", arguments, did, did[2:-1], context)


def only_once(timer: Call) -> Say:
    """The offer of the first of several rings, minutes apart: there are no others."""
    length = spoken_duration(timer.arguments["seconds"])
    return Say((SINGLE, f"Shall I set one for {length} from now?"), offer=timer)


def repeated(slots: Mapping[str, str], context: IntentContext) -> Say:
    """The offer of the first of several alarms: there are no others."""
    first = when.first_alarm(
        slots.get("hour") or slots["exact"], slots.get("every", ""), context.local_time
    )
    if first is None:
        return Say((SINGLE, "No clock shows that hour."))
    offer = _set(first, True, replace(context, spoken=True, sure=False))
    assert isinstance(offer, Say)  # it is not sure
    return replace(offer, sentences=(SINGLE, *offer.sentences))


_PART_OF = re.compile(r"\bin the (morning|afternoon|evening|night)\b")


def cancel_at(slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    """Cancel the alarm at an hour, on a day, or both; or the timer that was set to a duration."""
    arguments: dict[str, Any]
    if "brief" in slots:
        length_s = grammar.seconds(slots["brief"])
        arguments = {"kind": "timer", "seconds": length_s}
        if "label" in slots:
            arguments["name"] = slots["label"]
        which = f"{slots['label']} timer" if "label" in slots else "timer"
        told = f"I cancel the {which} for {spoken_duration(length_s)}."
        return careful("cancel_timers", arguments, told, told[2:-1], context)
    now = context.local_time
    words = " ".join((when.words(slots), slots.get("from", ""), *_PART_OF.findall(slots["said"])))
    arguments, told = {"kind": "alarm"}, "I cancel the alarm"
    clocks = when.alarm_clocks(words)
    day, part = when.named_day(words, now)
    if clocks and day is not None:
        # The same words would set this, as an alarm or to be woken.
        set_at = [
            found for wake in (True, False) if (found := when.alarm_time(words, now, wake=wake))
        ]
        first = set_at[0]
        same = dict.fromkeys(found.hour for found in set_at if found.day == first.day)
        arguments |= {"time": " or ".join(same), "day": f"{first.day}"}
        told += f" {when.spoken_time(first.at, now)}"
    elif clocks:
        arguments["time"] = " or ".join(clocks)
        told += f" at {slots.get('exact') or slots.get('from') or slots['when']}"
    else:
        arguments |= _of_day(day, part)
        told += _spoken_day(day, part)
    return careful(
        "cancel_timers", arguments, f"{told}.", told[2:], _asked_if_a_question(slots, context)
    )


def _of_day(day: date | None, part: str) -> dict[str, str]:
    return {name: f"{value}" for name, value in (("day", day), ("part", part)) if value}


def _spoken_day(day: date | None, part: str) -> str:
    if day is None:
        return f" in the {part}" if part else ""
    if part == "night":
        return f" in the night from {day:%A}, {day:%B} {day.day}, to {day + timedelta(days=1):%A}"
    return f" on {day:%A}, {day:%B} {day.day}" + (f", in the {part}" if part else "")


def cancel(all_of: bool, slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    """Cancel one timer or alarm, or all of a kind, perhaps of a day."""
    said, context = set(slots["said"].split()), _asked_if_a_question(slots, context)
    if all_of:
        named = slots.get("kinds") or slots.get("kind") or "timer and alarm"
        kinds = [kind for kind in ("timer", "alarm") if kind in named]
        told = f"I cancel all {' and '.join(f'{kind}s' for kind in kinds)}."
        every: dict[str, Any] = {"every": True}
        if len(kinds) == 1:
            every["kind"] = kinds[0]
        if words := f"{when.words(slots)} {' '.join(_PART_OF.findall(slots['said']))}".strip():
            day, part = when.named_day(words, context.local_time)
            every |= _of_day(day, part)
            told = f"{told[:-1]}{_spoken_day(day, part)}."
        if said & {"any", "both"} or not {"kind", "kinds"} & set(slots):
            context = replace(context, spoken=True, sure=False)
        return careful("cancel_timers", every, told, told[2:-1], context)
    arguments = {
        "kind": slots.get("kind") or ("timer" if {"timer", "countdown"} & said else "alarm")
    }
    if "label" in slots:
        arguments["name"] = slots["label"]
    told = f"I cancel the {' '.join(reversed(arguments.values()))}."
    return careful("cancel_timers", arguments, told, told[2:-1], context)


def takes_back(slots: Mapping[str, str], asked: str) -> bool:
    """Whether "never mind the timer" answers the question for its length or hour."""
    asks = asked_for(asked)[0] or asked.startswith(("For how long", "How long is the"))
    return bool(asks) and "label" not in slots and _BACK.match(slots["said"]) is not None


_BACK = re.compile(r".*\b(never mind|forget|need)\b")


_QUESTION = re.compile(
    r"\b(can|may|could) (i|we)\b|\b(can|could) you \w+ (timers|alarms)\b|\btell me \w+ (the|all)\b"
)


def _asked_if_a_question(slots: Mapping[str, str], context: IntentContext) -> IntentContext:
    """With the words of a question ("can I cancel timers"), the call is only offered."""
    asks = _QUESTION.search(slots["said"])
    return replace(context, spoken=True, sure=False) if asks else context
