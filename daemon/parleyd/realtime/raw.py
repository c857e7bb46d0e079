"""The fields of a server's message, undecoded, and one function for each type of value.

Splitting a message builds no objects: an unused field costs only a scan, whatever it contains.
A field of an unexpected type gives the neutral value of the expected type. All results are
bounded.
"""

import codecs
import json
import math
import re
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

ID_CHARS = 200  # services use 21 to 40; a longer id is replaced by a stand-in
NAME_CHARS = 200  # types, codes, statuses, names of functions; the services allow 64
TEXT_CHARS = 16 * 1024  # per transcript: a quarter of an hour of speech
SMALL_BYTES = 4 * 1024  # of a value that is decoded whole: at most 5 ms for the worst of them
LIST_BYTES = 64 * 1024  # of a list of raw values: 20,000 at most, in 3 ms
MOST_ITEMS = 128  # per list; a response's output has a handful
REPAIRED_BYTES = 16 * 1024  # of text that is not JSON: the slower parser gets no more
BIG_CHARS = 256 * 1024  # a message of this size is searched in 1 ms, whatever it contains
MOST_PARTS = 10_000  # of a bigger one, which is audio: a minute of speech has ten
ESCAPE_BYTES = 6  # per character, such as \u0000
GREATEST = 2**31  # of an index or a time in ms; a greater number is an error

T = TypeVar("T")

MISSING = Raw(b"")
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, ValueError)


class Wire(Struct):
    """The fields that are read from any event."""

    type: Raw = MISSING
    event_id: Raw = MISSING
    id: Raw = MISSING
    response_id: Raw = MISSING
    item_id: Raw = MISSING
    previous_item_id: Raw = MISSING
    call_id: Raw = MISSING
    output_index: Raw = MISSING
    content_index: Raw = MISSING
    audio_start_ms: Raw = MISSING
    audio_end_ms: Raw = MISSING
    delta: Raw = MISSING
    audio: Raw = MISSING
    data: Raw = MISSING
    transcript: Raw = MISSING
    text: Raw = MISSING
    name: Raw = MISSING
    arguments: Raw = MISSING
    item: Raw = MISSING
    part: Raw = MISSING
    response: Raw = MISSING
    session: Raw = MISSING
    usage: Raw = MISSING
    rate_limits: Raw = MISSING
    error: Raw = MISSING
    code: Raw = MISSING
    status: Raw = MISSING
    status_code: Raw = MISSING
    message: Raw = MISSING
    msg: Raw = MISSING
    detail: Raw = MISSING
    reason: Raw = MISSING
    param: Raw = MISSING


_wire = msgspec.json.Decoder(Wire)
_list = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)


def fields(message: str | bytes) -> Wire:
    """The fields of a message. Raises one of `UNREADABLE` unless it is a JSON object."""
    try:
        return _wire.decode(message)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError):
        return _wire.decode(_repaired(message))


def too_many_parts(message: str | bytes) -> bool:
    """Whether a big message has too many parts to search it in time."""
    if len(message) <= BIG_CHARS:
        return False
    count: Callable[[int, int], int] = (
        partial(message.count, ",") if isinstance(message, str) else partial(message.count, b",")
    )
    parts = 0
    for start in range(0, len(message), BIG_CHARS):
        parts += count(start, start + BIG_CHARS)
        if parts > MOST_PARTS:
            return True
    return False


# keeps an escaped backslash and a whole surrogate pair, but not half a pair
_ESCAPES = re.compile(
    r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _repaired(message: str | bytes) -> str | bytes:
    """The message without the additions that some servers make to their JSON: a byte order mark,
    and in a small one NUL bytes, NaN, control characters, half a surrogate pair. Raises one of
    `UNREADABLE`."""
    if len(message) > REPAIRED_BYTES:
        return _without_mark(message)
    found = message if isinstance(message, str) else message.decode("utf-8", "replace")
    found = found.strip("\ufeff\0 \t\r\n")
    found = _ESCAPES.sub(lambda escape: escape[1] or "\\ufffd", found)
    return msgspec.json.encode(json.loads(found, strict=False, parse_constant=lambda name: None))


def _without_mark(message: str | bytes) -> str | bytes:
    if isinstance(message, str):
        return message.removeprefix("\ufeff")
    return message.removeprefix(codecs.BOM_UTF8)


# --- types of values --------------------------------------------------------------------


def head(raw: Raw | bytes) -> str:
    """The first character of a value, which shows its type; "" for a missing field.

    `n` is null, `t` and `f` are booleans, `0` stands for any number.
    """
    first = bytes(memoryview(raw)[:1]).decode()
    return "0" if first and first in "-0123456789" else first


def given(raw: Raw) -> bool:
    """Whether the field is present and not null."""
    return head(raw) not in ("", "n")


def _size(raw: Raw | bytes) -> int:
    return memoryview(raw).nbytes


# --- texts ----------------------------------------------------------------------------


def text(raw: Raw, most: int = TEXT_CHARS) -> str:
    """At most `most` characters. A number becomes its digits, several texts become one, an object
    becomes its JSON; "" for null or a missing field."""
    match head(raw):
        case "" | "n":
            return ""
        case '"':
            return _text(raw, most)
        case "[":
            parts = (text(part, most) for part in members(raw))
            return "; ".join(part for part in parts if part)[:most]
        case _:
            return bytes(memoryview(raw)[: 4 * most]).decode("utf-8", "ignore")[:most]


def word(raw: Raw) -> str:
    """A type, a code or a name: at most `NAME_CHARS`, without surrounding space."""
    return text(raw, NAME_CHARS).strip()


def ident(raw: Raw) -> str:
    """An id; a number becomes its digits, anything else becomes "".

    A stand-in replaces an id that is too long: a different one for each id, and unknown to the
    server.
    """
    if head(raw) not in ('"', "0"):
        return ""
    if _size(raw) <= ESCAPE_BYTES * ID_CHARS:
        found = text(raw, ESCAPE_BYTES * ID_CHARS)
        if len(found) <= ID_CHARS:
            return found
    start = bytes(memoryview(raw)[1:121]).decode("utf-8", "ignore").replace("\\", "")
    return f"{start}~{blake2b(raw, digest_size=16).hexdigest()}"


def _text(raw: Raw, most: int) -> str:
    encoded: Raw | bytes = raw
    if _size(raw) > ESCAPE_BYTES * most + 2:
        start = bytes(memoryview(raw)[: ESCAPE_BYTES * most])
        escape = start.rfind(b"\\", -ESCAPE_BYTES)
        whole = start if escape < 0 else start[:escape]
        encoded = (whole.decode("utf-8", "ignore") + '"').encode()
    try:
        return _string.decode(encoded)[:most]
    except UNREADABLE:
        return ""


# --- numbers --------------------------------------------------------------------------


def integer(raw: Raw) -> int:
    """A whole number, also from a float or a text; 0 for anything else."""
    found = number(raw)
    return int(found) if found is not None and abs(found) < GREATEST else 0


def number(raw: Raw) -> float | int | None:
    """A finite number, also from a text; None for anything else."""
    if not 0 < _size(raw) <= 40:  # more digits than in any plausible number
        return None
    digits = bytes(raw).strip(b'" ')
    try:
        return int(digits)
    except ValueError:
        pass
    try:
        found = float(digits)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


# --- objects and lists ----------------------------------------------------------------


def members(raw: Raw) -> list[Raw]:
    """The members of a list; [] for anything else, or a list that is too long."""
    if head(raw) != "[" or _size(raw) > LIST_BYTES:
        return []
    try:
        return _list.decode(raw)[:MOST_ITEMS]
    except UNREADABLE:
        return []


def value(raw: Raw, most: int = SMALL_BYTES) -> Any:
    """Any value; None if its JSON has more than `most` bytes."""
    if not 0 < _size(raw) <= most:
        return None
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def small_object(raw: Raw) -> dict[str, Any]:
    """An object; {} for anything else, or one that is too big."""
    found = value(raw) if head(raw) == "{" else None
    return found if isinstance(found, dict) else {}


def struct(raw: Raw, decoder: "msgspec.json.Decoder[T]", empty: T) -> T:
    """An object's raw fields; `empty` for anything else."""
    if head(raw) != "{":
        return empty
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return empty
