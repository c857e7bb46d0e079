"""The plan of an answer: sentences, a call of the client's function, or a question before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from parleyd.embedded.confirmation import sentences


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


def careful(
    name: str, arguments: dict[str, Any], told: str, ask: str, context: IntentContext
) -> Say | Call:
    """A call that is announced if it was spoken, and only offered if it may be misheard."""
    call = call_of(name, arguments, context)
    if isinstance(call, Say) or not context.spoken:
        return call
    return replace(call, announcement=told) if context.sure else offered(call, ask)


def offered(call: Call, what: str) -> Say:
    """Ask before the call."""
    return Say((f"Shall I {what}?",), offer=replace(call, announcement=""))


def call_of(name: str, arguments: dict[str, Any], context: IntentContext) -> Say | Call:
    """The call, or the answer that the client has no such function."""
    if name in context.tools:
        return Call(name, arguments)
    return Say((f"Sorry, this device can't {_ABILITIES[name]}.",))


_ABILITIES = {
    "set_timer": "set timers",
    "set_alarm": "set alarms",
    "cancel_timers": "cancel timers",
    "list_timers": "set timers",
    "snooze": "set alarms",
    "mute_microphone": "close its microphone",
    "change_volume": "change its volume",
    "set_volume": "set its volume",
}


def asked_question(context: IntentContext) -> str:
    """The question that the user has heard last; empty: there was none."""
    if context.question or not context.answers:
        return context.question
    heard = (sentences(context.answers[-1]) or ("",))[-1]
    return heard if heard.endswith("?") else ""
