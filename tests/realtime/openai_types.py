"""What OpenAI's own package thinks of our events: its types, with nothing left over."""

from typing import Any

import msgspec
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter

from parleyd.realtime.events import ClientEvent, encode

_client_event: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def assert_valid(event: ClientEvent) -> None:
    """The event is one of the official client events, and each of its fields is known there."""
    raw = msgspec.json.decode(encode(event))
    model = _client_event.validate_python(raw)
    assert model.type == raw["type"]
    assert not list(_unknown(model, raw["type"]))


def _unknown(value: object, where: str) -> Any:
    """The official types swallow what they don't know: it is in their extra fields."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{where}.{name}"
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _unknown(entry, f"{where}[{index}]")
