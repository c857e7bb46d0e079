"""The plans for alarms, and for cancelling alarms and timers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from parleyd.embedded import grammar, when
from parleyd.embedded.confirmation import spoken_duration
from parleyd.embedded.plans import Call, IntentContext, Say, careful

WHEN = "At what time?"
WAKE_WHEN = "When shall I wake you?"
SINGLE = "I can set single alarms only."
"""The answer to an alarm that repeats, before an offer of its first time."""


def alarm(words: str, intent: str, context: IntentContext, said: str = "") -> Say | Call:
    """Set, or move, the alarm for a `when` of the grammar; a Say if that is impossible."""
    now, wake = context.local_time, intent == "wake_me" or "wake" in said.split()
    found = when.alarm_time(words, now, wake=wake)
    if found is None:
        return Say(("No clock shows that hour.",))
    if found.at <= now:
        return Say((f"It is already {when.clock_face(now)}.", WAKE_WHEN if wake else WHEN))
    arguments: dict[str, Any] = {"time": found.hour}
    if found.day is not None:
        arguments["day"] = f"{found.day}"
    time = when.spoken_time(found.at, now)
    did = f"I will wake you {time}." if wake else f"The alarm will ring {time}."
    ask = f"wake you {time}" if wake else f"set an alarm for {time.removeprefix('at ')}"
    if intent == "move_alarm":
        arguments["move"] = True
        did, ask = f"I move the alarm to {time}.", f"move the alarm to {time}"
    return careful("set_alarm", arguments, did, ask, context)


def repeated(slots: Mapping[str, str], context: IntentContext) -> Say:
    """The offer of the first of several alarms: there are no others."""
    words = f"{slots['hour']} {when.first_of(slots.get('every', ''), context.local_time)}"
    first = alarm(words, "wake_me", replace(context, spoken=True, sure=False))
    assert isinstance(first, Say)  # it is not sure
    return replace(first, sentences=(SINGLE, *first.sentences))


def cancel_at(slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    """Cancel the alarm at an hour, on a day, or both; or the timer that was set to a duration."""
    arguments: dict[str, Any]
    if "duration" in slots:
        length_s = grammar.seconds(slots["duration"])
        arguments = {"kind": "timer", "seconds": length_s}
        told = f"I cancel the timer for {spoken_duration(length_s)}."
        return careful("cancel_timers", arguments, told, told[2:-1], context)
    words = when.words(slots) + " tomorrow" * ("tomorrow's" in slots["said"])
    clocks, day = when.alarm_clocks(words), when.named_day(words, context.local_time)
    arguments = {"kind": "alarm"}
    if clocks:
        arguments["time"] = " or ".join(clocks)
    if day is not None:
        arguments["day"] = f"{day}"
    hour = f" at {slots['exact']}" if "exact" in slots else ""
    on = f" for {slots['when']}" if "when" in slots else f" on {day:%A}" if day else ""
    told = f"I cancel the alarm{hour}{on}."
    return careful("cancel_timers", arguments, told, told[2:-1], context)


def cancel(all_of: bool, slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    """Cancel one timer or alarm, or all of a kind, perhaps of a day."""
    if all_of:
        words = slots.get("kinds") or slots["kind"]
        kinds = [kind for kind in ("timer", "alarm") if kind in words]
        told = f"I cancel all {' and '.join(f'{kind}s' for kind in kinds)}."
        every: dict[str, Any] = {"every": True}
        if len(kinds) == 1:
            every["kind"] = kinds[0]
        day = when.named_day(slots.get("day", ""), context.local_time)
        if day is not None:
            every["day"] = f"{day}"
            told = f"{told[:-1]} for {day:%A}."
        return careful("cancel_timers", every, told, told[2:-1], context)
    said = set(slots["said"].split())
    arguments = {
        "kind": slots.get("kind") or ("timer" if {"timer", "countdown"} & said else "alarm")
    }
    if "label" in slots:
        arguments["name"] = slots["label"]
    told = f"I cancel the {' '.join(reversed(arguments.values()))}."
    return careful("cancel_timers", arguments, told, told[2:-1], context)
