"""Chooses what a response answers: the newest item in the conversation that needs an answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from parleyd.embedded import grammar
from parleyd.embedded.confirmation import confirm
from parleyd.embedded.intents import GREETING, WORDS_UNHEARD, answer
from parleyd.embedded.items import Item
from parleyd.embedded.plans import Call, IntentContext, Say


def unanswered(items: Sequence[Item]) -> list[Item]:
    """The user's messages and function outputs since the assistant's last message."""
    wanted: list[Item] = []
    for item in reversed(items):
        if item.role == "assistant":
            break
        if item.role == "user" or item.type == "function_call_output":
            wanted.insert(0, item)
    return wanted


def awaited(items: Sequence[Item]) -> Item | None:
    """An item whose recognition must finish before the answer, or None."""
    for item in unanswered(items):
        if item.content_type == "input_audio" and item.heard is None:
            return item
    return None


def plan(
    items: Sequence[Item], local_time: datetime, tools: frozenset[str], now: float = 0.0
) -> tuple[Say | Call, Item | None]:
    """The answer, and the item that it answers (None: there was no question).

    `now`: in the monotonic seconds of `Item.answer_by`.
    """
    open_items = unanswered(items)
    answers = [i.memory() for i in items if i.role == "assistant" and i.memory()]
    returned = next((i for i in reversed(open_items) if i.type == "function_call_output"), None)
    asked = [i for i in open_items if i.role == "user"]
    if returned is not None:
        call = next(
            (i for i in items if i.type == "function_call" and i.call_id == returned.call_id), None
        )
        # The user is now waiting for an answer to a question that came after the call.
        asked = _after(items, call or returned, asked)
        if not asked:
            name, arguments = (call.name, call.arguments) if call else ("", "")
            announcement = call.announcement if call else ""
            told = confirm(name, arguments, returned.text, local_time, announcement=announcement)
            return Say(told), returned
    if not asked:
        return Say(GREETING), None
    question = _question(items)
    context = IntentContext(
        local_time,
        tools,
        answers,
        question=question.question if question else "",
        offer=question.offer if question else None,
        late=question is not None and now > question.answer_by,
        spoken=any(item.content_type == "input_audio" for item in asked),
        sure=all(item.heard.sure for item in asked if item.heard and item.heard.words),
    )
    return _answered([item.memory() for item in asked], context), asked[-1]


def _answered(said: Sequence[str], context: IntentContext) -> Say | Call:
    """The answer to the parts of one turn: together if that is a phrase, else to the last one.

    A cough after a command does not undo it. But words that stand beside others permit nothing:
    "don't", or unknown words, may change them.
    """
    doubtful = replace(context, spoken=True, sure=False)
    whole = " ".join(said)
    if all(words.strip() for words in said) and grammar.match(whole):
        return answer(whole, context)
    if grammar.match(said[-1]):
        return answer(said[-1], context if all(map(_is_command, said[:-1])) else doubtful)
    for words in reversed(said[:-1]):
        if grammar.match(words):
            return answer(words, doubtful)
    return answer(said[-1], context)


def _is_command(words: str) -> bool:
    found = grammar.match(words)
    return found is not None and found[0] != "no"


def _question(items: Sequence[Item]) -> Item | None:
    """The assistant's last message, if no call was made since, and most of it was heard."""
    later = (i for i in reversed(items) if i.role == "assistant" or i.type == "function_call")
    last = next(later, None)
    if last is None:
        return None
    heard, whole = len(last.memory().split()), len(last.question.split())
    return last if heard >= whole - WORDS_UNHEARD else None


def _after(items: Sequence[Item], mark: Item, wanted: Sequence[Item]) -> list[Item]:
    place = next(index for index, item in enumerate(items) if item is mark)
    return [item for item in items[place + 1 :] if any(item is w for w in wanted)]
