"""The place of each event field in a message, and its type.

This module knows no events: `events` defines which fields each of them has.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Raw

from parleyd.realtime import shapes
from parleyd.realtime.audiotext import audio
from parleyd.realtime.raw import (
    MISSING,
    Wire,
    given,
    head,
    ident,
    integer,
    members,
    small_object,
    text,
    word,
)

Reader = Callable[[Wire], Any]


def kind(event: Wire) -> str:
    """The name of an event, in lower case; "error" for one without a name that reports an error.

    Raises ValueError for a message that is neither.
    """
    if head(event.type) == '"':
        return word(event.type).lower()
    numbered = given(event.code) or given(event.status_code)
    explained = given(event.message) or given(event.msg) or given(event.detail)
    if given(event.error) or (numbered and explained):
        return "error"
    raise ValueError("it has no type")


def sound(event: Wire) -> bytes:
    """The audio of a delta. Raises ValueError if it is not base64."""
    found = audio(_first(event.delta, event.audio, event.data))
    if found is None:
        raise ValueError("its audio is not base64")
    return found


def _first(*places: Raw) -> Raw:
    return next(filter(given, places), MISSING)


def _within(event: Wire, name: str) -> Raw:
    """A field of the event's item, for servers that have it only there."""
    return getattr(shapes.parts_of_item(event.item), name) if given(event.item) else MISSING


FIELDS: Mapping[str, Reader] = {
    "event_id": lambda event: ident(event.event_id),
    "response_id": lambda event: ident(_first(event.response_id, event.response)),
    "item_id": lambda event: ident(_first(event.item_id, _within(event, "id"))),
    "previous_item_id": lambda event: ident(event.previous_item_id),
    "call_id": lambda event: ident(_first(event.call_id, _within(event, "call_id"))),
    "output_index": lambda event: integer(event.output_index),
    "content_index": lambda event: integer(event.content_index),
    "audio_start_ms": lambda event: integer(event.audio_start_ms),
    "audio_end_ms": lambda event: integer(event.audio_end_ms),
    "delta": lambda event: text(_first(event.delta, event.text, event.transcript)),
    "transcript": lambda event: text(_first(event.transcript, event.text)),
    "text": lambda event: text(_first(event.text, event.transcript)),
    "name": lambda event: word(_first(event.name, _within(event, "name"))),
    "arguments": lambda event: text(
        _first(event.arguments, _within(event, "arguments")), shapes.ARGUMENT_CHARS
    ),
    "status": lambda event: shapes.status(event.status),
    "item": lambda event: shapes.item(event.item),
    "part": lambda event: small_object(event.part),
    "session": lambda event: shapes.session(event.session),
    "response": lambda event: shapes.response(event),
    "error": lambda event: shapes.error(event.error, event),
    "usage": lambda event: small_object(event.usage),
    "rate_limits": lambda event: [small_object(each) for each in members(event.rate_limits)],
}
