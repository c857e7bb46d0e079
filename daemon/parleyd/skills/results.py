"""A skill's return value as text for the model: bounded, and valid Unicode."""

import dataclasses
import enum
import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import msgspec

from parleyd.core.events import AfterTool
from parleyd.skills import SkillResult

LONGEST_OUTPUT = 8000  # characters: two thousand tokens; a reply should not be a whole page
DEEPEST = 32  # lists within lists; a deeper one contains itself
_SURROGATES = re.compile("[\ud800-\udfff]")


class ResultError(TypeError):
    """A result that cannot become text; the message lists the allowed types."""


def outcome(returned: object) -> SkillResult:
    """Convert a skill's return value to text: JSON unless it is text. Raises `ResultError`.

    Takes a bounded time for a value of any size. Runs methods of the value, which may raise
    anything: call it where the skill runs.
    """
    if isinstance(returned, SkillResult):
        if not isinstance(returned.output, str) or not isinstance(returned.after, AfterTool):
            raise ResultError("returned an SkillResult of other parts than a text and a AfterTool")
        return SkillResult(shortened(returned.output), returned.after)
    if isinstance(returned, enum.Enum):
        returned = returned.value
    if returned is None:
        return SkillResult("Done.", AfterTool.RESPOND)
    if isinstance(returned, PurePath):
        returned = str(returned)
    if isinstance(returned, str):
        return SkillResult(shortened(returned), AfterTool.RESPOND)
    plain = _Plain().of(returned, DEEPEST)
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return SkillResult(shortened(text), AfterTool.RESPOND)


def valid(text: str) -> str:
    """Text that UTF-8 can encode; a file name may contain bytes that it cannot."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def shortened(text: str) -> str:
    """At most `LONGEST_OUTPUT` characters of valid text."""
    kept = str.__getitem__(text, slice(0, LONGEST_OUTPUT))
    cut = str.__len__(text) > LONGEST_OUTPUT
    return valid(kept) + (" ... (the rest was left out)" if cut else "")


class _Plain:
    """Copies a value into JSON's types, up to the size of an output."""

    def __init__(self) -> None:
        self._left = LONGEST_OUTPUT + 1  # characters, at least one for each value

    def of(self, value: Any, depth: int) -> Any:
        if depth == 0:
            raise ResultError(f"returned lists within lists, more than {DEEPEST} deep")
        self._left -= 1
        match value:
            case enum.Enum():
                return self.of(value.value, depth - 1)
            case None | bool():
                return value
            case str():
                return self._text(value)
            case PurePath():
                return self._text(str(value))
            case Integral() | Real():
                return _number(value)
            case Mapping():
                pairs = ((self._key(key), item) for key, item in value.items())
                return {key: self.of(item, depth - 1) for key, item in self._some(pairs)}
            case bytes() | bytearray() | memoryview():
                raise _refused(value)
            case Sequence() | Set():
                return [self.of(item, depth - 1) for item in self._some(iter(value))]
        names = _fields(value)
        if names is not None:
            return {name: self.of(getattr(value, name), depth - 1) for name in names}
        try:
            return self.of(msgspec.to_builtins(value), 1)  # dates, UUIDs and the like become text
        except (TypeError, ValueError, RecursionError):
            raise _refused(value) from None

    def _some(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            if self._left <= 0:
                return
            yield item

    def _text(self, text: str) -> str:
        kept = str.__getitem__(text, slice(0, max(0, self._left)))
        self._left -= len(kept)
        return valid(kept)

    def _key(self, key: Any) -> str:
        if isinstance(key, enum.Enum):
            key = key.value
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise ResultError(f"returned a table with a key of type {type(key).__name__}")
        return self._text(key if isinstance(key, str) else str(int(key)))


def _fields(value: object) -> Sequence[str] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    return value.__struct_fields__ if isinstance(value, msgspec.Struct) else None


def _number(value: Any) -> int | float:
    if isinstance(value, Integral):
        whole = int(value)
        if whole.bit_length() > LONGEST_OUTPUT:
            raise ResultError("returned a number of thousands of digits")
        return whole
    real = float(value)
    if not math.isfinite(real):
        raise ResultError(f"returned {real}, which is not a number in JSON")
    return real


def _refused(value: object) -> ResultError:
    if inspect.isgenerator(value) or inspect.iscoroutine(value):
        value.close()
    return ResultError(
        f"returned {type(value).__name__}, allowed are text, numbers, lists and tables of them"
    )
