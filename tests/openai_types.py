"""What OpenAI's own package thinks of our events: its types, with nothing left over."""

from typing import Any

import msgspec
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from parleyd.realtime.events import ClientEvent, Json, encode

_UNTYPED = {"session.id", "session.object"}  # the service sends them; its package has no field
_client_event: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
_server_event: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def assert_valid(event: ClientEvent) -> None:
    """The event is one of the official client events, and each of its fields is known there."""
    _assert_official(msgspec.json.decode(encode(event)), _client_event)


def assert_official_server_event(raw: Json) -> None:
    """The same for what a server sent, decoded from its frame."""
    _assert_official(raw, _server_event)


def _assert_official(raw: Json, kinds: TypeAdapter[Any]) -> None:
    model = kinds.validate_python(raw)
    assert model.type == raw["type"]
    assert [name for name in _unknown(model, "") if name not in _UNTYPED] == []


def _unknown(value: object, where: str) -> Any:
    """The official types swallow what they don't know: it is in their extra fields."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{where}{name}"
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{where}{name}.")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _unknown(entry, f"{where}{index}.")
