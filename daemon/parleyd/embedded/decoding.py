"""Decodes a client's text frame into an event, or refuses it in the service's words."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from parleyd.embedded import api_error
from parleyd.embedded.api_error import ApiError
from parleyd.embedded.limits import (
    MOST_APPEND_BYTES,
    MOST_DEPTH,
    MOST_EVENT_BYTES,
    MOST_ID,
    MOST_STRUCTURE,
    PIECE_BYTES,
)
from parleyd.realtime.events import (
    CLIENT_EVENTS,
    AppendAudio,
    ClientEvent,
    CreateItem,
    Malformed,
    Unknown,
    decode_client,
    encode,
)

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_SMALL_BYTES = 64 << 10  # too few bytes for many objects
_APPEND = AppendAudio.__struct_config__.tag
_WITH_AUDIO = (_APPEND, CreateItem.__struct_config__.tag)
_NAMES = {"str": "a string", "int": "an integer", "object": "an object", "bytes": "a string"}


class _ClientEventHeader(msgspec.Struct):
    type: str


class _Label(msgspec.Struct):
    event_id: str | None = None


_header = msgspec.json.Decoder(_ClientEventHeader)
_label = msgspec.json.Decoder(_Label)  # does not build any other part of a message


@dataclass(frozen=True, slots=True)
class Utf8:
    """A text frame as received, in UTF-8; this avoids copying a text of 20 MB to inspect it."""

    text: bytes


Frame = str | Utf8 | bytes
"""A text frame in either form; plain bytes are a binary frame."""


def read(frame: Frame) -> ClientEvent:
    """Decode the event in a frame. Raises `ApiError`."""
    if isinstance(frame, bytes):
        raise ApiError("Only text frames are accepted.", code="invalid_event")
    text = frame.text if isinstance(frame, Utf8) else frame
    _within_bounds(text)
    event = decode_client(text)
    if isinstance(event, Malformed):
        raise _refused(text, event.reason)
    if isinstance(event, Unknown):
        raise api_error.wrong_value("type", event.type, tuple(CLIENT_EVENTS))
    if isinstance(event, AppendAudio):
        if len(event.audio) > MOST_APPEND_BYTES:
            raise api_error.out_of_range("audio", len(event.audio), MOST_APPEND_BYTES, low=False)
        if len(event.audio) % 2:
            size = f"{len(event.audio)} bytes"
            raise api_error.wrong_value("audio", size, ("whole 16-bit frames",))
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str) and len(value) > MOST_ID:
            raise api_error.too_long(name, len(value), MOST_ID)
        if isinstance(value, dict) and _is_too_deep(value):
            raise api_error.too_deep()
    return event


def pieces(frame: Frame) -> list[Frame]:
    """Split a long append into several equivalent frames, so that none takes long to handle.

    Returns all other frames, and those that will be refused, unchanged.
    """
    if not isinstance(frame, Utf8) or len(frame.text) < 2 * PIECE_BYTES:
        return [frame]
    if _type_of(frame.text) != _APPEND:
        return [frame]
    try:
        event = read(frame)
    except ApiError:
        return [frame]
    assert isinstance(event, AppendAudio)
    return [
        Utf8(encode(AppendAudio(audio=event.audio[start : start + PIECE_BYTES])).encode())
        for start in range(0, len(event.audio), PIECE_BYTES)
    ]


def event_id(frame: Frame) -> str | None:
    """The id that the client gave this event, if it is readable."""
    try:
        given = _label.decode(frame.text if isinstance(frame, Utf8) else frame).event_id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return given if given is None or len(given) <= MOST_ID else None


def _within_bounds(text: str | bytes) -> None:
    """Refuse a message that is too large before it is decoded; audio may be large."""
    if len(text) <= _SMALL_BYTES:
        return
    structure = (
        sum(map(text.count, "{[,")) if isinstance(text, str) else sum(map(text.count, b"{[,"))
    )
    if structure > MOST_STRUCTURE:
        raise api_error.too_large(f"{structure} values", f"{MOST_STRUCTURE} values")
    if len(text) > MOST_EVENT_BYTES and _type_of(text) not in _WITH_AUDIO:
        raise api_error.too_large(f"{len(text)} bytes", f"{MOST_EVENT_BYTES} bytes without audio")


def _type_of(text: str | bytes) -> str | None:
    try:
        return _header.decode(text).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _is_too_deep(value: Any) -> bool:
    """Whether objects and arrays are nested deeper than `MOST_DEPTH`; does not recurse."""
    level = [value]
    for _ in range(MOST_DEPTH):
        below: list[Any] = []
        for entry in level:
            if isinstance(entry, dict):
                below += entry.values()
            elif isinstance(entry, list):
                below += entry
        level = [entry for entry in below if isinstance(entry, dict | list)]
        if not level:
            return False
    return True


def _refused(text: str | bytes, reason: str) -> ApiError:
    try:
        raw: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        return ApiError("The message is not a valid JSON object.", code="invalid_json")
    found = _PATH.search(reason)
    path = found["path"] if found else ""
    missing, expected = _MISSING.search(reason), _EXPECTED.search(reason)
    if missing:
        return api_error.missing_parameter(f"{path}.{missing['name']}" if path else missing["name"])
    if expected:
        wanted = expected["expected"].split(" | ")[0]
        return api_error.wrong_type(path, _NAMES.get(wanted, wanted), raw.get(path))
    return api_error.wrong_value(path, str(raw.get(path))[:16], ("base64",))
