"""The results of skills: a text for the model, or a line in the log with file and line."""

import asyncio
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import re
import time
import uuid
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from parleyd.core.events import AfterTool
from parleyd.skills import Skill, SkillResult, skill
from parleyd.skills.registry import LONGEST_OUTPUT, SkillRegistry
from parleyd.skills.results import ResultError, outcome


@dataclasses.dataclass
class Room:
    name: str
    lamps: list[int]


class Bowl(msgspec.Struct):
    grams: int


class Colour(enum.Enum):
    RED = "red"


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("hello", "hello"),
        (None, "Done."),
        (7, "7"),
        (True, "true"),
        (2.5, "2.5"),
        ([1, "a", None], '[1,"a",null]'),
        ({"a": {"b": (1, 2)}, 3: Colour.RED}, '{"a":{"b":[1,2]},"3":"red"}'),
        ({5}, "[5]"),
        (deque([1]), "[1]"),
        (range(3), "[0,1,2]"),
        (Pair(1, 2), "[1,2]"),
        (OrderedDict(a=1), '{"a":1}'),
        (Room("hall", [1]), '{"name":"hall","lamps":[1]}'),
        (Bowl(5), '{"grams":5}'),
        (Colour.RED, "red"),
        (datetime.date(2027, 1, 15), '"2027-01-15"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (decimal.Decimal("1.5"), '"1.5"'),
        (fractions.Fraction(1, 2), "0.5"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (pathlib.PurePosixPath("/music"), "/music"),
        ("K\u00fcche", "K\u00fcche"),
        ("M\udcfcnchen.mp3", "M\ufffdnchen.mp3"),
        (["M\udcfcnchen.mp3"], '["M\ufffdnchen.mp3"]'),
        ({"M\udcfcnchen": "\ud800"}, '{"M\ufffdnchen":"\ufffd"}'),
        (SkillResult("\udcff", AfterTool.END), "\ufffd"),
    ],
)
def test_result_becomes_a_text(returned: object, text: str) -> None:
    assert outcome(returned).output == text


def infinite() -> Iterator[int]:
    while True:
        yield 1


async def forgotten() -> str:
    return ""


class Evil:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def within(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)


@pytest.mark.parametrize(
    "returned",
    [
        b"bytes", bytearray(b"x"), memoryview(b"x"), [b"x"],
        float("nan"), float("inf"), [1.0, float("-inf")], {"a": float("nan")},
        np.float32("nan"), object(), [object()], Evil(), [Evil()], infinite(), [infinite()],
        [forgotten()], print, Room, {(1, 2): 3}, {1.5: 2}, {None: 1}, {True: 1}, {b"x": 1},
        RECURSIVE, within(100_000), 10**100_000, SkillResult(5, AfterTool.END),  # type: ignore[arg-type]
        SkillResult("x", "rest"), RuntimeError("x"), np.zeros(3), Room("x", object()),  # type: ignore[arg-type]
    ],
    ids=lambda returned: type(returned).__name__,
)  # fmt: skip
def test_result_without_a_text_form_is_logged_with_its_place(
    returned: object, caplog: pytest.LogCaptureFixture
) -> None:
    @skill
    def odd() -> object:
        """Odd."""
        return returned

    line = odd.__code__.co_firstlineno
    told = asyncio.run(SkillRegistry([Skill.of(odd, blocking=True)]).call("odd", {}))
    assert told.output.startswith("odd failed: TypeError: it returned ")
    assert told.after is AfterTool.RESPOND
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{__file__}:{line}: the skill odd returned ")
    with pytest.raises(ResultError):
        outcome(returned)


@pytest.mark.parametrize(
    "returned",
    [
        "x" * 50_000_000,
        list(range(3_000_000)),
        {str(n): n for n in range(1_000_000)},
        ["y" * 10_000_000] * 100,
        range(10**15),
        [[["z"] * 1000] * 1000] * 1000,
    ],
    ids=["text", "list", "table", "texts", "range", "lists"],
)
def test_huge_result_takes_a_bounded_time(returned: object) -> None:
    """The audio thread waits for the interpreter's lock during that time."""
    spent = time.thread_time()
    text = outcome(returned).output
    spent = time.thread_time() - spent
    assert LONGEST_OUTPUT <= len(text) < LONGEST_OUTPUT + 100
    assert text.endswith(" ... (the rest was left out)")
    assert spent < 0.5


def test_errors_raised_by_a_result_are_reported() -> None:
    class Broken(dict[str, int]):
        def items(self) -> Any:
            raise OSError("the lamp is gone")

    @skill
    def lamp() -> object:
        """Lamp."""
        return Broken()

    told = asyncio.run(SkillRegistry([Skill.of(lamp, blocking=True)]).call("lamp", {}))
    assert told.output == "lamp failed: OSError: the lamp is gone"


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, OSError, TimeoutError])
@pytest.mark.parametrize("broken", ["words", "long", "surrogate"])
def test_error_with_any_message_is_reported(kind: type[Exception], broken: str) -> None:
    class Loud(kind):  # type: ignore[misc, valid-type]
        def __str__(self) -> str:
            return {"long": "x" * 10**7, "surrogate": "M\udcfc"}.get(broken) or str(1 / 0)

    @skill
    def loud() -> str:
        """Loud."""
        raise Loud

    told = asyncio.run(SkillRegistry([Skill.of(loud, blocking=True)]).call("loud", {})).output
    assert len(told) < 600
    assert told.encode()
    assert re.search(r"did not work|failed|did not answer", told)


def test_arguments_that_break_a_user_type_are_reported() -> None:
    class Odd(msgspec.Struct):
        a: int

        def __post_init__(self) -> None:
            raise KeyError(self.a)

    @skill
    def odd(x: Odd) -> str:
        """Odd."""
        return ""

    odd.__annotations__["x"] = Odd
    told = asyncio.run(SkillRegistry([Skill.of(odd, blocking=True)]).call("odd", {"x": {"a": 1}}))
    assert told.output == "odd failed: KeyError: 1"
