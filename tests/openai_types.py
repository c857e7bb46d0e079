"""Checks our events against the types of OpenAI's own package, without unknown fields."""

from typing import Any

import msgspec
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from parleyd.realtime.events import ClientEvent, Json, encode

_UNTYPED = {"session.id", "session.object"}  # the service sends these, but its package has no field
_client_event: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
_server_event: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def assert_valid(event: ClientEvent) -> None:
    """Assert that the event is an official client event with only known fields."""
    _assert_official(msgspec.json.decode(encode(event)), _client_event)


def assert_official_server_event(raw: Json) -> None:
    """Assert that a server's event, decoded from its frame, is official with only known fields."""
    _assert_official(raw, _server_event)


def _assert_official(raw: Json, kinds: TypeAdapter[Any]) -> None:
    model = kinds.validate_python(raw)
    assert model.type == raw["type"]
    assert [name for name in _unknown(model, "") if name not in _UNTYPED] == []


def _unknown(value: object, where: str) -> Any:
    """Return the unknown fields, which the official types accept as extra fields."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{where}{name}"
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{where}{name}.")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _unknown(entry, f"{where}{index}.")
