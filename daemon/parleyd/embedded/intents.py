"""From the user's words to the answer: pure, without speech or socket."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from parleyd.embedded import grammar, when
from parleyd.embedded.answers import is_yes
from parleyd.embedded.confirmation import sentences, spoken_duration
from parleyd.embedded.guide import help_words
from parleyd.embedded.stories import rest, tell

NOT_UNDERSTOOD = ("Sorry, I did not understand that.", "You can ask me, what can I say?")
GREETING = ("Hello.", "What can I do for you?")
OKAY = ("Okay.",)
HOW_LONG = "For how long?"
HOW_LONG_NAMED = "How long is the {} timer?"
WHEN = "At what time?"
WAKE_WHEN = "When shall I wake you?"
WORDS_UNHEARD = 2
"""Of a question: people answer before its end."""
VOLUME_STEP = 1
"""One step of `change_volume`; the device decides how large a step is."""
QUIET_PERCENT = 10
"""Below this, the way back may be hard to hear."""
MUTE_MINUTES = 10
"""A closed microphone whose duration was not said."""
LONGEST_S = 24 * 3600
TOO_LONG = ("At most 24 hours.",)
"""Of a timer and of a closed microphone, as in the skills."""
LONGEST_UNASKED_MIN = 30
"""Of a microphone that is closed by voice without a question."""


@dataclass(frozen=True, slots=True)
class Call:
    """Call this function of the client; the answer follows when it returns."""

    name: str
    arguments: dict[str, Any]
    announcement: str = ""
    """Say this first, and call only if the user does not object; empty: call at once."""


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with these sentences."""

    sentences: tuple[str, ...]
    offer: Call | None = None
    """The call that follows if the user answers with a yes."""


@dataclass(frozen=True, slots=True)
class IntentContext:
    """Everything that an answer may depend on besides the words."""

    local_time: datetime
    tools: frozenset[str] = frozenset()
    """Names of the functions that the client declared."""
    answers: Sequence[str] = ()
    """The heard part of each answer so far, oldest first."""
    question: str = ""
    """The last answer's question, if most of it was heard; empty: look at `answers`."""
    offer: Call | None = None
    """The call that this question offered."""
    late: bool = False
    """The question was too long ago for a yes."""
    spoken: bool = False
    """The words were recognised, so they may be wrong."""
    sure: bool = True
    """The recogniser has little doubt."""


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
    label = slots.get("label", "")
    match intent:
        case "set_timer":
            return _timer(grammar.seconds(slots["duration"]), label, context)
        case "bare_timer":
            return Say((HOW_LONG_NAMED.format(label) if label else HOW_LONG,))
        case "bare_duration":
            name = _timer_asked(context)
            timer = _timer(grammar.seconds(slots["duration"]), name or "", context)
            if name is not None or isinstance(timer, Say):
                return timer
            return _ask(timer, _timer_words(timer))
        case "set_alarm" | "wake_me" | "move_alarm":
            return _alarm(slots["when"], intent, context)
        case "bare_when":
            asked = {WHEN: "set_alarm", WAKE_WHEN: "wake_me"}.get(_question(context))
            return _alarm(slots["when"], asked, context) if asked else Say(NOT_UNDERSTOOD)
        case "bare_alarm" | "bare_wake":
            return Say((WHEN if intent == "bare_alarm" else WAKE_WHEN,))
        case "cancel_timer" | "cancel_all":
            return _cancel(intent == "cancel_all", slots, context)
        case "list_timers":
            return _call("list_timers", {}, context)
        case "mute" | "bare_mute":
            length_s = grammar.seconds(slots.get("duration", f"{MUTE_MINUTES} minutes"))
            return _mute(max(1, -(-length_s // 60)), intent == "bare_mute", context)
        case "volume_up" | "volume_down":
            steps = VOLUME_STEP if intent == "volume_up" else -VOLUME_STEP
            return _call("change_volume", {"steps": steps}, context)
        case "volume_set" | "volume_full":
            return _volume(slots.get("percent", "hundred percent"), slots["said"], context)
        case "repeat" if "say_again" in context.tools and context.answers:
            return Call("say_again", {})
    return None


def _words(intent: str, slots: Mapping[str, str], context: IntentContext) -> tuple[str, ...]:
    """The answer to an intent that calls nothing."""
    match intent:
        case "time":
            return (f"It is {_clock(context.local_time)}.",)
        case "date":
            return (f"Today is {_calendar(context.local_time)}.",)
        case "story":
            return tell(slots.get("story"), context.answers)
        case "help" | "more":
            return help_words(intent == "more", context.answers)
        case "stop" | "no" | "yes":
            return OKAY
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
    return _call("set_timer", arguments, context)


def _timer_words(timer: Call) -> str:
    return f"set a timer for {spoken_duration(timer.arguments['seconds'])}"


def _question(context: IntentContext) -> str:
    """The question that the user has heard last; empty: there was none."""
    if context.question or not context.answers:
        return context.question
    heard = (sentences(context.answers[-1]) or ("",))[-1]
    return heard if heard.endswith("?") else ""


def _timer_asked(context: IntentContext) -> str | None:
    """The name of the timer whose duration was asked; empty: it has none; None: not asked."""
    before, after = HOW_LONG_NAMED.split("{}")
    asked = _question(context)
    if asked.startswith(before) and asked.endswith(after):
        return asked[len(before) : -len(after)]
    return "" if asked == HOW_LONG else None


def _alarm(words: str, intent: str, context: IntentContext) -> Say | Call:
    now, wake = context.local_time, intent == "wake_me"
    found = when.alarm_time(words, now, wake=wake)
    if found is None:
        return Say(("No clock shows that hour.",))
    if found.at <= now:
        return Say((f"It is already {_clock(now)}.", WAKE_WHEN if wake else WHEN))
    arguments: dict[str, Any] = {"time": found.hour}
    if found.day is not None:
        arguments["day"] = f"{found.day}"
    time = when.spoken_time(found.at, now)
    did = f"I will wake you {time}." if wake else f"The alarm will ring {time}."
    ask = f"wake you {time}" if wake else f"set an alarm for {time.removeprefix('at ')}"
    if intent == "move_alarm":
        arguments["move"] = True
        did, ask = f"I move the alarm to {time}.", f"move the alarm to {time}"
    return _careful("set_alarm", arguments, did, ask, context)


def _cancel(all_of: bool, slots: Mapping[str, str], context: IntentContext) -> Say | Call:
    if all_of:
        words = slots.get("kinds") or slots["kind"]
        kinds = [kind for kind in ("timer", "alarm") if kind in words]
        told = f"I cancel all {' and '.join(f'{kind}s' for kind in kinds)}."
        every: dict[str, Any] = {"every": True}
        if len(kinds) == 1:
            every["kind"] = kinds[0]
        return _careful("cancel_timers", every, told, told[2:-1], context)
    arguments = {"kind": slots["kind"]}
    if "label" in slots:
        arguments["name"] = slots["label"]
    told = f"I cancel the {' '.join(reversed(arguments.values()))}."
    return _careful("cancel_timers", arguments, told, told[2:-1], context)


def _mute(minutes: int, ask: bool, context: IntentContext) -> Say | Call:
    if 60 * minutes > LONGEST_S:
        return Say(TOO_LONG)
    length = spoken_duration(60 * minutes)
    if ask or minutes > LONGEST_UNASKED_MIN:
        context = replace(context, sure=False)
    told = f"I close the microphone for {length}."
    return _careful("mute_microphone", {"minutes": minutes}, told, told[2:-1], context)


def _volume(words: str, said: str, context: IntentContext) -> Say | Call:
    level = grammar.number(words)
    of_ten = "percent" not in words and 1 <= level <= 10 and not _DOWN.search(said)
    if of_ten:
        level *= 10  # "volume five"
    percent = min(level, 100)
    if of_ten and percent == 100:
        context = replace(context, spoken=True, sure=False)
    if percent >= QUIET_PERCENT and not of_ten:
        return _call("set_volume", {"percent": percent}, context)
    told = f"I set the volume to {percent} percent."
    return _careful("set_volume", {"percent": percent}, told, told[2:-1], context)


_DOWN = re.compile(r"\b(?:down|lower|reduce|decrease)")


def _careful(
    name: str, arguments: dict[str, Any], told: str, ask: str, context: IntentContext
) -> Say | Call:
    """A call that is announced if it was spoken, and only offered if it may be misheard."""
    call = _call(name, arguments, context)
    if isinstance(call, Say) or not context.spoken:
        return call
    return replace(call, announcement=told) if context.sure else _ask(call, ask)


def _ask(call: Call, what: str) -> Say:
    return Say((f"Shall I {what}?",), offer=replace(call, announcement=""))


def _call(name: str, arguments: dict[str, Any], context: IntentContext) -> Say | Call:
    if name in context.tools:
        return Call(name, arguments)
    return Say((f"Sorry, this device can't {_ABILITIES[name]}.",))


_ABILITIES = {
    "set_timer": "set timers",
    "set_alarm": "set alarms",
    "cancel_timers": "cancel timers",
    "list_timers": "set timers",
    "mute_microphone": "close its microphone",
    "change_volume": "change its volume",
    "set_volume": "set its volume",
}


# --- words -----------------------------------------------------------------------------------


def _clock(now: datetime) -> str:
    return f"{now.hour % 12 or 12}:{now.minute:02} {'AM' if now.hour < 12 else 'PM'}"


def _calendar(now: datetime) -> str:
    ending = (
        "th" if now.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(now.day % 10, "th")
    )
    return f"{now:%A}, {now:%B} {now.day}{ending}, {now.year}"
