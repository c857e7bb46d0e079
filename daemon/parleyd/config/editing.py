"""Changes single values in the text of a configuration file, and nothing else of it. Pure.

Comments, order and spaces of the file stay as the owner wrote them. A line-based editor can
misread an unusual file, so each result is parsed and compared: it is refused unless exactly the
wanted keys have changed.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from parleyd.config.parser import tables
from parleyd.errors import ConfigError
from parleyd.printable import named

Value = bool | int | float | str | tuple[str, ...]

_HEADER = re.compile(r"\s*\[\s*([\w-]+)\s*\]\s*(?:#.*)?\s*", re.ASCII)
_OTHER_HEADER = re.compile(r"\s*\[")
_KEY = re.compile(r"(\s*([\w-]+)\s*=\s*)(.*)", re.ASCII | re.DOTALL)
_VALUE = re.compile(  # a scalar, or a list on one line
    r"\"(?!\"\")(?:[^\"\\]|\\.)*\"|'(?!'')[^']*'|[^\s#'\"\[{]+"
    r"|\[(?:\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\[\]{}#'\"\n])*\]",
    re.DOTALL,
)
_TOKEN = re.compile(  # what decides whether a line begins inside of a value
    r"\"\"\"(?:[^\\]|\\.)*?\"{3,5}|'''.*?'{3,5}|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


class LineChange(NamedTuple):
    """One changed line of the file."""

    section: str
    before: str
    """The line without its end; "" for a new line."""
    after: str


class _FileLine(NamedTuple):
    section: str | None
    """None: inside of a table that has another kind of header."""
    text: str
    statement: bool
    """The line begins outside of every value."""


def with_values(
    text: str, values: Mapping[str, Value], source: str
) -> tuple[str, list[LineChange]]:
    """Return the text in which each ``section.key`` has its value, and the changed lines.

    A name without a dot is a key above the first section.

    Raises `ConfigError` for text that is not TOML, and for a key in a form that cannot be changed.
    """
    before = tables(text, source)
    changes: list[LineChange] = []
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        edited, change = _edited(text, section, key, _written(value))
        wanted = copy.deepcopy(before)
        held = wanted.setdefault(section, {}) if section else wanted
        if not isinstance(held, dict):
            raise ConfigError([_by_hand(name)])
        held[key] = list(value) if isinstance(value, tuple) else value
        try:
            after = tables(edited, source)
        except ConfigError:
            raise ConfigError([_by_hand(name)]) from None
        if after != wanted:
            raise ConfigError([_by_hand(name)])
        text, before = edited, after
        changes.append(change)
    return text, changes


def _by_hand(name: str) -> str:
    return (
        f"{named(name)}: is written in the file in a form that cannot be changed here, allowed is "
        "a line `key = value` below [section]: change it by hand"
    )


def _written(value: Value) -> str:
    """The value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):  # TOML's texts are JSON's but for one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _edited(text: str, section: str, key: str, written: str) -> tuple[str, LineChange]:
    lines = list(_lines(text))
    for place, line in enumerate(lines):
        found = _KEY.fullmatch(line.text) if line.statement and line.section == section else None
        if found is not None and found[2] == key:
            rest = _VALUE.sub(lambda _: written, found[3], count=1)
            return _replaced(lines, place, line._replace(text=found[1] + rest))
    return _with_new_line(lines, section, key, f"{key} = {written}")


def _replaced(lines: list[_FileLine], place: int, new: _FileLine) -> tuple[str, LineChange]:
    old = lines[place]
    change = LineChange(str(old.section), old.text.strip("\r\n"), new.text.strip("\r\n"))
    return "".join(line.text for line in [*lines[:place], new, *lines[place + 1 :]]), change


def _with_new_line(
    lines: list[_FileLine], section: str, key: str, assignment: str
) -> tuple[str, LineChange]:
    """Put the line below its commented default, else below the header, else at the end."""
    commented = re.compile(rf"\s*#\s?{key}\s*=.*", re.DOTALL)
    places = [
        place
        for place, line in enumerate(lines)
        if line.section == section
        and line.statement
        and (commented.fullmatch(line.text) or _HEADER.fullmatch(line.text))
    ]
    texts = [line.text for line in lines]
    end = "\r\n" if any(line.endswith("\r\n") for line in texts) else "\n"
    if texts and not texts[-1].endswith("\n"):
        texts[-1] += end
    change = LineChange(section, "", assignment)
    if not places and not section:
        return "".join([assignment, end, *texts]), change
    if not places:
        return "".join([*texts, end if texts else "", f"[{section}]{end}", assignment, end]), change
    texts.insert(places[-1] + 1, assignment + end)
    return "".join(texts), change


def _lines(text: str) -> Iterator[_FileLine]:
    """The lines with their ends."""
    inside = _ends_inside_of_values(text)
    section: str | None = ""
    start = 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        statement = start not in inside
        if statement and (found := _HEADER.fullmatch(line)):
            section = found[1]
        elif statement and _OTHER_HEADER.match(line):
            section = None
        yield _FileLine(section, line, statement)
        start += len(line)


def _ends_inside_of_values(text: str) -> set[int]:
    """The starts of lines that lie inside of a text or a list of several lines."""
    inside: set[int] = set()
    depth = 0
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if piece == "\n":
            if depth > 0:
                inside.add(token.end())
        elif piece in "[{":
            depth += 1
        elif piece in "]}":
            depth -= 1
        elif piece.startswith(('"""', "'''")):
            inside.update(token.start() + found.end() for found in re.finditer("\n", piece))
    return inside
