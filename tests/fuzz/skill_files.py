"""A user's Python files with arbitrary content, beside two valid ones."""

import asyncio
import json
import logging
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from parleyd.skills.loading import load
from parleyd.skills.registry import SkillRegistry

WITHIN_S = 2.0
GOOD = """from parleyd.skills import skill

@skill
def {}(x: int = 1) -> str:
    "Doc."
    return str(x)
"""

NAMES = st.sampled_from(
    ["f", "f", "g", "küche", "電気", "set_volume", "first", "x" * 65, "_f", "async_", "__init__"]
)
TYPES = st.sampled_from(
    ["int", "str", "float", "bool", "list[int]", "dict[str, int]", "'Nope'", "'int['", "'1/0'",
     "object", "type", "None", "Any", "int | str", "bytes", "set[int]", "Callable", "TypeVar('T')",
     "Annotated[int, Meta(ge=1)]", "Annotated[int, 5]", "Literal[1, 'a']", "Room", "'exit(1)'",
     "datetime.date", "Colour", "'Room'", "tuple", "1", "...", "Annotated[str, Meta(pattern='(')]"]
)  # fmt: skip
DEFAULTS = st.sampled_from(
    ["", "", " = 1", " = None", " = 'a'", " = float('nan')", " = object()", " = [1]", " = {}",
     " = b'x'", " = '\\udcfc'", " = 10**400", " = Room('x')", " = Colour.RED", " = lambda: 1"]
)  # fmt: skip
RESULTS = st.sampled_from(
    ["'ok'", "None", "b'x'", "float('nan')", "object()", "(n for n in [1])", "Room('x')", "[[]]",
     "'\\udcfc'", "'x' * 10**6", "list(range(10**5))", "x", "1/0", "exit(3)", "self()", "Evil()",
     "{1: 2}", "{(1,): 2}", "{'a': float('inf')}", "Colour.RED", "Ellipsis", "print", "10**20",
     "10**9999", "(lambda: (yield))()", "datetime.datetime.now()", "type('A', (), {})()"]
)  # fmt: skip
MARKS = st.sampled_from(
    ["@skill", "@skill", "@skill", "@skill\n@functools.cache", "@functools.cache\n@skill",
     "@skill\n@staticmethod", "@skill\n@property", "@skill()", "@skill\n@skill", "", "@Lamp",
     "@skill\n@functools.partial", "@contextlib.contextmanager\n@skill"]
)  # fmt: skip
HEADS = st.sampled_from(
    ["", "", "from __future__ import annotations\n", "raise KeyboardInterrupt\n", "1/0\n",
     "import no_such_module\n", "exit(2)\n", "def (\n", "raise Evil\n", "\tx\n", "del skill\n",
     "skill = 5\n", "globals().clear()\n", "__name__ = 5\n", "import sys; sys.modules.clear\n",
     "# -*- coding: nonsense -*-\n", "__all__ = 5\n", "import logging; logging.error('%s')\n"]
)  # fmt: skip
DOCS = st.sampled_from(['"Doc."', '"Doc."', "", "''", "'x' * 2000", "'\\udcfc'", "5", "f'{1}'"])
IMPORTS = """import contextlib, datetime, enum, functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from msgspec import Meta
from parleyd.skills import SkillResult, skill
@dataclass
class Room:
    name: str
class Colour(enum.Enum):
    RED = "red"
class Evil(Exception):
    def __str__(self): raise RuntimeError
    def __getattr__(self, name): raise RuntimeError
    __repr__ = __str__
class Lamp:
    def __init__(self, f): self.f = f
    def __call__(self): return 1
    def __getattr__(self, name): return self
evil = Evil()
"""


def _function(parts: tuple[str, ...]) -> str:
    mark, kind, name, star, parameter, of, default, doc, result = parts
    typed = f": {of}" if of else ""
    return (
        f"{mark}\n{kind} {name}({star}{parameter}{typed}{default}) -> str:\n"
        f"    {doc or 'pass'}\n    self = {name}\n    return {result}\n"
    )


FUNCTIONS = st.tuples(
    MARKS,
    st.sampled_from(["def", "def", "async def", "class A:\n  pass\ndef"]),
    NAMES,
    st.sampled_from(["", "", "", "*", "**", "*, "]),
    st.sampled_from(["x", "x", "größe", "self", "__x", "class_"]),
    TYPES | st.just(""),
    DEFAULTS,
    DOCS,
    RESULTS,
).map(_function)
WHOLE = st.builds(
    lambda head, functions: (head + IMPORTS + "".join(functions)).encode("utf-8", "surrogatepass"),
    HEADS,
    st.lists(FUNCTIONS, min_size=1, max_size=4),
)
TEXTS = st.one_of(
    WHOLE,
    WHOLE,
    st.tuples(WHOLE, st.floats(0, 1)).map(lambda t: t[0][: int(len(t[0]) * t[1])]),
    st.tuples(WHOLE, st.floats(0, 1), st.integers(0, 255)).map(
        lambda t: (i := int(len(t[0]) * t[1]), t[0][:i] + bytes([t[2]]) + t[0][i + 1 :])[1]
    ),
    st.sampled_from(
        [b"\0", b"\xff\xfe", b"(" * 9000, b"x = " + b"-" * 5000 + b"1\n", b"\xef\xbb\xbf"]
    ),
)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def check(data: bytes) -> None:
    """Valid skills load, an invalid one is a line that names its file, and all are callable."""
    lines = _Lines()
    logger = logging.getLogger("parleyd.skills.loading")
    logger.addHandler(lines)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "a.py").write_text(GOOD.format("first"))
            (folder / "m.py").write_bytes(data)
            (folder / "z.py").write_text(GOOD.format("last"))
            skills = asyncio.run(load(folder, {"set_volume"}, WITHIN_S))
            asyncio.run(_call_all(SkillRegistry(skills, WITHIN_S)))
    finally:
        logger.removeHandler(lines)
    names = [skill.name for skill in skills]
    assert names[0] == "first"
    assert "last" in names
    assert len(set(names)) == len(names)
    for line in lines.lines:
        assert line.startswith(("skill left out: ", "skills of "))
        assert line.isprintable()
        assert len(line) < 2000
        assert str(folder) in line


async def _call_all(book: SkillRegistry) -> None:
    for declaration in book.declarations():
        json.dumps(declaration, allow_nan=False, ensure_ascii=False).encode()
        for arguments in ({}, {"x": 1}, {"größe": "a"}):
            outcome = await book.call(declaration["name"], dict(arguments))
            assert outcome.output.encode()
            assert len(outcome.output) < 9000
