"""From the user's words to the answer: pure, without speech or socket."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from parleyd.embedded import alarm_plans, grammar, when
from parleyd.embedded.answers import is_yes
from parleyd.embedded.confirmation import sentences, spoken_duration
from parleyd.embedded.guide import help_words
from parleyd.embedded.plans import (
    Call,
    IntentContext,
    Say,
    asked_question,
    call_of,
    careful,
    offered,
)
from parleyd.embedded.stories import rest, tell

NOT_UNDERSTOOD = ("Sorry, I did not understand that.", "You can ask me, what can I say?")
GREETING = ("Hello.", "What can I do for you?")
OKAY = ("Okay.",)
HOW_LONG = "For how long?"
HOW_LONG_NAMED = "How long is the {} timer?"
WORDS_UNHEARD = 2
"""Of a question: people answer before its end."""
VOLUME_STEP = 1
"""One step of `change_volume`; the device decides how large a step is."""
QUIET_PERCENT = 10
"""Below this, the way back may be hard to hear."""
MUTE_MINUTES = 10
"""A closed microphone whose duration was not said."""
LONGEST_S = 24 * 3600
LONGEST_SNOOZE_MIN = 180
"""As in the skills."""
ONE_BY_ONE = ("One by one, please: say the length of the first timer.",)
TOO_LONG = ("At most 24 hours.",)
"""Of a timer and of a closed microphone, as in the skills."""
STEPS_UNASKED = 2
"""Of a change of the volume that was said as a number."""
LONGEST_UNASKED_MIN = 30
"""Of a microphone that is closed by voice without a question."""


def answer(said: str, context: IntentContext) -> Say | Call:
    """The answer to one utterance; `said` is empty if nothing was recognised."""
    found = grammar.match(said)
    if found is None:
        return Say(NOT_UNDERSTOOD)
    intent, slots = found
    if intent == "yes" and context.offer is not None:
        unclear = context.spoken and not is_yes(said)
        clear = context.sure and not context.late and not unclear
        return context.offer if clear else Say((context.question,), context.offer)
    action = _action(intent, {**slots, "said": grammar.plain(said)}, context)
    return action or Say(_words(intent, slots, context))


def _action(intent: str, slots: Mapping[str, str], context: IntentContext) -> Say | Call | None:
    """The call that an intent asks for, perhaps after a question."""
    label = slots.get("label", "") or grammar.label_in(slots.get("errand", ""))
    match intent:
        case "set_timer":
            duration = _length(slots)
            if grammar.repeats_a_unit(duration):
                return Say(ONE_BY_ONE)
            return _timer(grammar.seconds(duration), label, context)
        case "bare_timer":
            return Say((HOW_LONG_NAMED.format(label) if label else HOW_LONG,))
        case "bare_duration":
            name = _timer_asked(context)
            timer = _timer(grammar.seconds(slots["duration"]), name or "", context)
            if name is not None or isinstance(timer, Say):
                return timer
            return offered(timer, _timer_words(timer))
        case "set_alarm" | "wake_me":
            return alarm_plans.alarm(when.words(slots), intent, context, name=label)
        case "move_alarm":
            return alarm_plans.moved(slots, context)
        case "repeated":
            return alarm_plans.repeated(slots, context)
        case "bare_repeated" if "interval" in slots:
            timer = _timer(grammar.seconds(slots["interval"]), label, context)
            return timer if isinstance(timer, Say) else alarm_plans.only_once(timer)
        case "bare_repeated":
            return alarm_plans.repeating(slots)
        case "bare_when":
            return alarm_plans.answered(slots["when"], context) or Say(NOT_UNDERSTOOD)
        case "bare_alarm" | "bare_wake":
            return alarm_plans.asking("alarm" in intent, slots.get("day") or slots.get("own", ""))
        case "cancel_timer" if alarm_plans.takes_back(slots, asked_question(context)):
            return Say(OKAY)
        case "cancel_timer" | "cancel_all":
            return alarm_plans.cancel(intent == "cancel_all", slots, context)
        case "cancel_at":
            return alarm_plans.cancel_at(slots, context)
        case "snooze":
            return call_of("snooze", snooze_arguments(slots), context)
        case "list_timers":
            return call_of("list_timers", {}, context)
        case "mute" | "bare_mute":
            length_s = grammar.seconds(slots.get("duration", f"{MUTE_MINUTES} minutes"))
            return _mute(max(1, -(-length_s // 60)), intent == "bare_mute", context)
        case "volume_up" | "volume_down":
            return _louder(1 if intent == "volume_up" else -1, slots, context)
        case "volume_set" if _BY.search(slots["said"]) and not _TO.search(slots["said"]):
            sign = -1 if _DOWN.search(slots["said"]) else 1
            number = slots.get("percents") or slots["percent"]
            return _louder(sign, {**slots, "number": number}, context)
        case "volume_set":
            return _volume(slots.get("percents") or slots["percent"], slots["said"], context)
        case "volume_full":
            return _volume("hundred percent", slots["said"], context)
        case "volume_off":
            return _volume("zero percent", "", replace(context, spoken=True, sure=False))
        case "repeat" if "say_again" in context.tools and context.answers:
            return Call("say_again", {})
    return None


def _words(intent: str, slots: Mapping[str, str], context: IntentContext) -> tuple[str, ...]:
    """The answer to an intent that calls nothing."""
    match intent:
        case "time":
            return (f"It is {when.clock_face(context.local_time)}.",)
        case "date":
            return (f"Today is {_calendar(context.local_time)}.",)
        case "story":
            return tell(slots.get("story"), context.answers)
        case "help" | "more":
            return help_words(intent == "more", context.answers)
        case "stop" | "no" | "yes":
            return OKAY
        case "ring_off":
            return ("Nothing rings.",)
        case "repeat":
            return sentences(context.answers[-1]) if context.answers else GREETING
        case "go_on":
            return rest(context.answers)
        case "thanks":
            return ("You are welcome.",)
        case "goodbye":
            return ("Goodbye.",)
        case _:
            return GREETING


# --- calls ----------------------------------------------------------------------------------


def _timer(seconds: int, label: str, context: IntentContext) -> Say | Call:
    if seconds > LONGEST_S:
        return Say(TOO_LONG)
    arguments: dict[str, Any] = {"seconds": seconds}
    if label:
        arguments["name"] = label
    return call_of("set_timer", arguments, context)


def _length(slots: Mapping[str, str]) -> str:
    return slots.get("duration") or slots.get("brief") or f"{slots['count']} minutes"


def snooze_arguments(slots: Mapping[str, str]) -> dict[str, int]:
    """The minutes of a snooze, at most 3 hours; empty: they were not said."""
    if not {"duration", "count"} & set(slots):
        return {}
    minutes = -(-grammar.seconds(_length(slots)) // 60)
    return {"minutes": min(max(minutes, 1), LONGEST_SNOOZE_MIN)}


def _timer_words(timer: Call) -> str:
    return f"set a timer for {spoken_duration(timer.arguments['seconds'])}"


def _timer_asked(context: IntentContext) -> str | None:
    """The name of the timer whose duration was asked; empty: it has none; None: not asked."""
    before, after = HOW_LONG_NAMED.split("{}")
    asked = asked_question(context)
    if asked.startswith(before) and asked.endswith(after):
        return asked[len(before) : -len(after)]
    return "" if asked == HOW_LONG else None


def _mute(minutes: int, ask: bool, context: IntentContext) -> Say | Call:
    if 60 * minutes > LONGEST_S:
        return Say(TOO_LONG)
    length = spoken_duration(60 * minutes)
    if ask or minutes > LONGEST_UNASKED_MIN:
        context = replace(context, sure=False)
    told = f"I close the microphone for {length}."
    return careful("mute_microphone", {"minutes": minutes}, told, told[2:-1], context)


def _louder(sign: int, slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    steps = VOLUME_STEP
    if "number" in slots:
        steps = grammar.number(slots["number"])
        if "percent" in slots["said"] or steps > 10:
            steps = max(1, round(steps / 10))
        steps = min(steps, 10)
    call = call_of("change_volume", {"steps": sign * steps}, context)
    if isinstance(call, Say) or steps <= STEPS_UNASKED:
        return call
    return offered(call, f"make it {'louder' if sign > 0 else 'quieter'} by {steps} steps")


def _volume(words: str, said: str, context: IntentContext) -> Say | Call:
    level = grammar.number(words)
    named = "percent" in words or words.split()[-1:] == ["minimum"]
    of_ten = not named and 1 <= level <= 10 and not _DOWN.search(said)
    if of_ten:
        level *= 10  # "volume five"
    percent = min(level, 100)
    if (of_ten and percent == 100) or (context.spoken and percent == 0):
        context = replace(context, spoken=True, sure=False)
    if QUIET_PERCENT <= percent < 100 and not of_ten:
        return call_of("set_volume", {"percent": percent}, context)
    told = f"I set the volume to {percent} percent."
    return careful("set_volume", {"percent": percent}, told, told[2:-1], context)


_DOWN = re.compile(r"\b(?:down|lower|reduce|decrease)")
_BY = re.compile(r"\b(?:up|down|raise|lower|increase|decrease|reduce|boost)\b")
_TO = re.compile(r"\b(?:to|at|on|level|number|be|is|of|as)\b")


# --- words -----------------------------------------------------------------------------------


def _calendar(now: datetime) -> str:
    ending = (
        "th" if now.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(now.day % 10, "th")
    )
    return f"{now:%A}, {now:%B} {now.day}{ending}, {now.year}"
