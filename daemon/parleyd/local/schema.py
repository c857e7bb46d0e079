"""Small checks that compose into a schema and refuse in the service's own words.

A check takes a value and its dotted path and raises `Refused` at the first
thing that is wrong. `table` knows its fields, so a misspelt one never passes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from parleyd.local import refusal

Check = Callable[[Any, str], None]


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise refusal.wrong_type(path, "a boolean", value)


def text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise refusal.wrong_type(path, "a string", value)


def anything(value: Any, path: str) -> None:
    """What this server has no use for but a client may set."""


def mapping(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise refusal.wrong_type(path, "an object", value)


def integer(low: int | None = None, high: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise refusal.wrong_type(path, "an integer", value)
        _within(value, path, low, high)

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refusal.wrong_type(path, "a decimal", value)
        _within(value, path, low, high)

    return check


def choice(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        text(value, path)
        if value not in allowed:
            raise refusal.wrong_value(path, value, allowed)

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
            raise refusal.wrong_type(path, "an array", value)
        if len(value) > most:
            raise refusal.out_of_range(path, len(value), most, low=False)
        for index, entry in enumerate(value):
            inner(entry, f"{path}[{index}]")

    return check


def table(fields: Mapping[str, Check], *required: str) -> Check:
    def check(value: Any, path: str) -> None:
        mapping(value, path)
        for name in required:
            if name not in value:
                raise refusal.missing_parameter(f"{path}.{name}")
        for name, entry in value.items():
            if name not in fields:
                raise refusal.unknown_parameter(f"{path}.{name}")
            fields[name](entry, f"{path}.{name}")

    return check


def tagged(key: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose field `key` says which of `kinds` it is."""

    def check(value: Any, path: str) -> None:
        mapping(value, path)
        if key not in value:
            raise refusal.missing_parameter(f"{path}.{key}")
        choice(*kinds)(value[key], f"{path}.{key}")
        kinds[value[key]](value, path)

    return check


def _within(value: float, path: str, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise refusal.out_of_range(path, value, low, low=True)
    if high is not None and value > high:
        raise refusal.out_of_range(path, value, high, low=False)
