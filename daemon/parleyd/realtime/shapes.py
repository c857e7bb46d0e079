"""The nested parts of a server's events: items, responses, sessions and errors.

Each function returns the fields that Parley reads, under the service's own names, whatever types
the server gave them; see `raw` for the bounds.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from parleyd.realtime import raw
from parleyd.realtime.raw import MISSING, NAME_CHARS, Wire, given, head, ident, text, value, word

Json = dict[str, Any]

MESSAGE_CHARS = 1000  # of an error's explanation; the log shows 200
ARGUMENT_CHARS = 8 * 1024  # of a function, decoded by the audio thread; longer ones become invalid
MOST_WRAPPED = 3  # proxies wrap the error of the server behind them in another one
KEYS = 32  # of metadata; the service allows 16

_STATUS = {"canceled": "cancelled", "done": "completed", "complete": "completed"}
_STATUSES = ("in_progress", "completed", "cancelled", "failed", "incomplete")
_REASONS = ("turn_detected", "client_cancelled", "max_output_tokens", "content_filter")


def status(found: Raw) -> str:
    """The status of an item or a response."""
    name = word(found).lower()
    return _STATUS.get(name, name)


# --- items ----------------------------------------------------------------------------


class _Item(Struct):
    id: Raw = MISSING
    type: Raw = MISSING
    status: Raw = MISSING
    role: Raw = MISSING
    call_id: Raw = MISSING
    name: Raw = MISSING
    arguments: Raw = MISSING
    server_label: Raw = MISSING
    approval_request_id: Raw = MISSING
    content: Raw = MISSING
    output: Raw = MISSING
    error: Raw = MISSING


_item = msgspec.json.Decoder(_Item)
_ITEM_TEXTS: dict[str, Callable[[Raw], str]] = {
    "id": ident,
    "type": lambda found: word(found).lower(),
    "status": status,
    "role": word,
    "call_id": ident,
    "name": ident,  # part of the permission question: two different names must never look the same
    "arguments": lambda found: text(found, ARGUMENT_CHARS),
    "server_label": ident,
    "approval_request_id": ident,
}


def parts_of_item(found: Raw) -> _Item:
    """The raw fields of an item."""
    return raw.struct(found, _item, _Item())


def item(found: Raw) -> Json:
    """A conversation item: all of it if it is small, otherwise the fields of `_Item`; {} unless it
    is an object.

    Ids, names, status and arguments are texts, if they are present and not null.
    """
    wire = parts_of_item(found)
    result = raw.small_object(found)
    if not result:
        for key in ("content", "output", "error"):
            part: Raw = getattr(wire, key)
            if given(part):
                whole = value(part)
                result[key] = text(part, MESSAGE_CHARS) if whole is None else whole
    for key, read in _ITEM_TEXTS.items():
        part = getattr(wire, key)
        if given(part):
            result[key] = read(part)
    return result


# --- responses ------------------------------------------------------------------------


class _Response(Struct):
    id: Raw = MISSING
    status: Raw = MISSING
    status_details: Raw = MISSING
    incomplete_details: Raw = MISSING
    error: Raw = MISSING
    output: Raw = MISSING
    metadata: Raw = MISSING
    usage: Raw = MISSING
    conversation_id: Raw = MISSING


class _Details(Struct):
    type: Raw = MISSING
    reason: Raw = MISSING
    error: Raw = MISSING


_response = msgspec.json.Decoder(_Response)
_details = msgspec.json.Decoder(_Details)


def response(event: Wire) -> Json:
    """The arguments of a `Response`, from the event that carries it; "" for an unknown id.

    Some servers give id and usage beside the response.
    """
    wire = raw.struct(event.response, _response, _Response())
    ids = (ident(found) for found in (wire.id, event.response_id))
    usage = raw.small_object(wire.usage) or raw.small_object(event.usage)
    metadata = list(raw.small_object(wire.metadata).items())[:KEYS]
    return {
        "id": next(filter(None, ids), ""),
        "status": ended if (ended := status(wire.status)) in _STATUSES else None,
        "status_details": _status_details(wire) or None,
        "output": _output(wire.output),
        "metadata": {key[:NAME_CHARS]: _as_text(v) for key, v in metadata} or None,
        "usage": usage or None,
        "conversation_id": ident(wire.conversation_id) or None,
    }


def _output(found: Raw) -> list[Json] | None:
    if head(found) == "{":
        alone = item(found)
        return [alone] if "type" in alone else []
    members = [item(part) for part in raw.members(found) if head(part) == "{"]
    return members if given(found) else None


def _status_details(wire: _Response) -> Json:
    """Why a response ended: type, reason and error, each only if it is known."""
    found = wire.status_details if given(wire.status_details) else wire.incomplete_details
    if head(found) == "[":
        found = next(iter(raw.members(found)), MISSING)
    details = raw.struct(found, _details, _Details())
    reason = word(details.reason).lower()
    if head(found) == '"' and word(found).lower() in _REASONS:
        reason = word(found).lower()
    failure = details.error if given(details.error) else wire.error
    known = {
        "type": word(details.type).lower(),
        "reason": reason,
        "error": {k: v for k, v in error(failure).items() if v} if given(failure) else None,
    }
    return {key: v for key, v in known.items() if v}


def _as_text(found: object) -> str:
    return found if isinstance(found, str) else json.dumps(found)[:NAME_CHARS]


# --- sessions -------------------------------------------------------------------------


class _Session(Struct):
    id: Raw = MISSING
    type: Raw = MISSING
    model: Raw = MISSING
    voice: Raw = MISSING
    expires_at: Raw = MISSING
    modalities: Raw = MISSING
    output_modalities: Raw = MISSING
    turn_detection: Raw = MISSING
    input_audio_format: Raw = MISSING
    output_audio_format: Raw = MISSING
    input_audio_sampling_rate: Raw = MISSING
    output_audio_sampling_rate: Raw = MISSING
    audio: Raw = MISSING


class _Audio(Struct):
    input: Raw = MISSING
    output: Raw = MISSING


_session = msgspec.json.Decoder(_Session)
_audio = msgspec.json.Decoder(_Audio)


def session(found: Raw) -> Json:
    """A session: all of it if it is small, otherwise without instructions and tools; {} unless it
    is an object.

    `expires_at` is a number or None.
    """
    wire = raw.struct(found, _session, _Session())
    result = raw.small_object(found)
    if not result:
        parts = {name: getattr(wire, name) for name in wire.__struct_fields__}
        result = {name: value(part) for name, part in parts.items() if given(part)}
        if given(wire.audio):
            audio = raw.struct(wire.audio, _audio, _Audio())
            result["audio"] = {"input": value(audio.input), "output": value(audio.output)}
    if "expires_at" in result:
        result["expires_at"] = raw.number(wire.expires_at)
    return result


# --- errors ---------------------------------------------------------------------------


class _Error(Struct):
    type: Raw = MISSING
    code: Raw = MISSING
    status: Raw = MISSING
    status_code: Raw = MISSING
    message: Raw = MISSING
    msg: Raw = MISSING
    detail: Raw = MISSING
    reason: Raw = MISSING
    param: Raw = MISSING
    event_id: Raw = MISSING
    error: Raw = MISSING


_error = msgspec.json.Decoder(_Error)


def error(found: Raw, event: Wire | None = None) -> dict[str, str | None]:
    """The arguments of an `ErrorDetail`: from an object, a text, a number or a list, or otherwise
    from the other fields of the `event`."""
    inner: list[_Error] = []
    words = number = ""
    for _ in range(MOST_WRAPPED):
        if head(found) == "[":
            parts = raw.members(found)
            words = text(found, MESSAGE_CHARS) if all(head(p) != "{" for p in parts) else words
            found = next((part for part in parts if head(part) == "{"), MISSING)
        if head(found) != "{":
            break
        wire = raw.struct(found, _error, _Error())
        inner.append(wire)
        found = wire.error
    if head(found) == '"':
        words = text(found, MESSAGE_CHARS)
    elif head(found) == "0":
        number = word(found)
    outer: list[_Error | Wire] = [*inner, *([event] if event is not None else [])]
    codes = [_code(layer) for layer in outer]
    messages = [*map(_message, inner), words, *map(_message, outer)]
    return {
        "type": _first(word(layer.type) for layer in inner),
        "code": _first([number, *codes]),
        "message": _first(messages),
        "param": _first(text(layer.param, NAME_CHARS) for layer in outer),
        "event_id": _first(ident(layer.event_id) for layer in inner),
    }


def _code(layer: _Error | Wire) -> str | None:
    by_number = layer.status if head(layer.status) == "0" else MISSING
    return _first(word(place) for place in (layer.code, layer.status_code, by_number))


def _message(layer: _Error | Wire) -> str | None:
    places = (layer.message, layer.msg, layer.detail, layer.reason)
    return _first(text(place, MESSAGE_CHARS) for place in places)


def _first(found: Iterable[str | None]) -> str | None:
    return next(filter(None, found), None)
