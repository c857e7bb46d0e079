"""One text frame of a client as an event, or a refusal in the service's words."""

import re
from typing import Any

import msgspec

from parleyd.local import refusal
from parleyd.local.refusal import Refused
from parleyd.realtime.events import (
    CLIENT_EVENTS,
    AppendAudio,
    ClientEvent,
    Malformed,
    Unknown,
    decode_client,
)

MOST_APPEND_BYTES = 15 << 20  # the service's own limit for one append

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_NAMES = {"str": "a string", "int": "an integer", "object": "an object", "bytes": "a string"}


def read(frame: str | bytes) -> ClientEvent:
    """The event in a frame. Raises `Refused`."""
    if not isinstance(frame, str):
        raise Refused("Only text frames are accepted.", code="invalid_event")
    event = decode_client(frame)
    if isinstance(event, Malformed):
        raise _refused(frame, event.reason)
    if isinstance(event, Unknown):
        raise refusal.wrong_value("type", event.type, tuple(CLIENT_EVENTS))
    if isinstance(event, AppendAudio):
        if len(event.audio) > MOST_APPEND_BYTES:
            raise refusal.out_of_range("audio", len(event.audio), MOST_APPEND_BYTES, low=False)
        if len(event.audio) % 2:
            size = f"{len(event.audio)} bytes"
            raise refusal.wrong_value("audio", size, ("whole 16-bit frames",))
    return event


def event_id(frame: str | bytes) -> str | None:
    """The id that the client gave this event, as far as it can be read."""
    try:
        raw = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    given = raw.get("event_id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) else None


def _refused(frame: str, reason: str) -> Refused:
    try:
        raw: Any = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        return Refused("The message is not a valid JSON object.", code="invalid_json")
    found = _PATH.search(reason)
    path = found["path"] if found else ""
    missing, expected = _MISSING.search(reason), _EXPECTED.search(reason)
    if missing:
        return refusal.missing_parameter(f"{path}.{missing['name']}" if path else missing["name"])
    if expected:
        wanted = expected["expected"].split(" | ")[0]
        return refusal.wrong_type(path, _NAMES.get(wanted, wanted), raw.get(path))
    return refusal.wrong_value(path, str(raw.get(path))[:16], ("base64",))
