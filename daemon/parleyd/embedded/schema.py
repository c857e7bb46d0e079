"""Small checks that compose into a schema and refuse in the service's own words.

A check takes a value and its dotted path and raises `Refused` at the first error. `table`
rejects unknown fields, so a misspelt one never passes.
Clients in many languages write null for a field that they do not set: null in an optional
field is valid, and means the same as no field (`given` removes it).
"""

from collections.abc import Callable, Mapping
from typing import Any

from parleyd.embedded import api_error
from parleyd.embedded.limits import MOST_ID, MOST_MESSAGE_BYTES, MOST_TEXT
from parleyd.realtime.events import Json

Check = Callable[[Any, str], None]


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise api_error.wrong_type(path, "a boolean", value)


def _string(most: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise api_error.wrong_type(path, "a string", value)
        if len(value) > most:
            raise api_error.too_long(path, len(value), most)

    return check


text = _string(MOST_TEXT)
name = _string(MOST_ID)
"""Ids, names, models: short strings that are stored and displayed."""

audio = _string(MOST_MESSAGE_BYTES)
"""Base64; the reader checks the size of the decoded audio."""


def anything(value: Any, path: str) -> None:
    """Accepts a setting that this server ignores but a client may set."""


def mapping(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise api_error.wrong_type(path, "an object", value)


def integer(low: int | None = None, high: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise api_error.wrong_type(path, "an integer", value)
        _within(value, path, low, high)

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise api_error.wrong_type(path, "a decimal", value)
        _within(value, path, low, high)

    return check


def choice(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        name(value, path)
        if value not in allowed:
            raise api_error.wrong_value(path, value, allowed)

    return check


def nullable(inner: Check) -> Check:
    def check(value: Any, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def either(kind: type, first: Check, otherwise: Check) -> Check:
    """`first` for values of `kind`, `otherwise` for all others."""

    def check(value: Any, path: str) -> None:
        (first if isinstance(value, kind) else otherwise)(value, path)

    return check


def array(inner: Check, *, most: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise api_error.wrong_type(path, "an array", value)
        if len(value) > most:
            raise api_error.out_of_range(path, len(value), most, low=False)
        for index, entry in enumerate(value):
            inner(entry, f"{path}[{index}]")

    return check


def table(fields: Mapping[str, Check], *required: str, nulls: bool = True) -> Check:
    """An object with these fields; `nulls`: an optional one may be null."""

    def check(value: Any, path: str) -> None:
        mapping(value, path)
        for field in required:
            if field not in value:
                raise api_error.missing_parameter(f"{path}.{field}")
        for field, entry in value.items():
            if field not in fields:
                raise api_error.unknown_parameter(f"{path}.{field}")
            if entry is not None or not nulls or field in required:
                fields[field](entry, f"{path}.{field}")

    return check


def strings(pairs: int, most_key: int, most_value: int) -> Check:
    """An object of strings, such as metadata."""
    key_check, value_check = _string(most_key), _string(most_value)

    def check(value: Any, path: str) -> None:
        mapping(value, path)
        if len(value) > pairs:
            raise api_error.out_of_range(path, len(value), pairs, low=False)
        for key, entry in value.items():
            key_check(key, path)
            value_check(entry, f"{path}.{key}")

    return check


def given(value: Json | None, *null_means_off: str) -> Json:
    """A copy without null fields, except those where null has a meaning."""
    fields = (value or {}).items()
    return {field: entry for field, entry in fields if entry is not None or field in null_means_off}


def tagged(key: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose field `key` names which of `kinds` it is."""

    def check(value: Any, path: str) -> None:
        mapping(value, path)
        if key not in value:
            raise api_error.missing_parameter(f"{path}.{key}")
        choice(*kinds)(value[key], f"{path}.{key}")
        kinds[value[key]](value, path)

    return check


def _within(value: float, path: str, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise api_error.out_of_range(path, value, low, low=True)
    if high is not None and value > high:
        raise api_error.out_of_range(path, value, high, low=False)
