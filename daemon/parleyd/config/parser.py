"""Reads a configuration file and checks it as a whole.

`load` reads a file and raises `ConfigError` with *every* problem at once, each as
``section.key: what is wrong, what is allowed``; `cross_checks` finds those that need several
keys to be seen.
"""

import difflib
import os
import re
import stat
import tomllib
import types
import typing
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from parleyd.config import boards, cross_checks
from parleyd.config.hosts import without_secrets
from parleyd.config.schema import MOST_MCP, Config, Mcp, Realtime, Section, Skills
from parleyd.errors import ConfigError
from parleyd.printable import named, shown

LONGEST_FILE = 1_000_000  # bytes; the documented file has 8,000, a log or an image millions

_MCP = typing.get_type_hints(Skills, include_extras=True)["mcp"]
_INSTRUCTIONS = typing.get_type_hints(Realtime, include_extras=True)["instructions"]
_HEADERS = typing.get_type_hints(Realtime, include_extras=True)["headers"]
_URL = typing.get_type_hints(Realtime, include_extras=True)["url"]


def load(path: Path | None) -> Config:
    """Read and check the file; None means all defaults. Raises `ConfigError`."""
    if path is None:
        return Config()
    where = named(str(path))
    try:
        # editors on Windows put a mark before the text, and some systems end lines by "\r" alone
        text = _read(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise ConfigError(
            [f"{where}: cannot be read ({error.strerror}), a TOML file is expected"]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{where}: is not UTF-8 text (byte {error.start}), a TOML file is expected"]
        ) from None
    return parse(text, source=where)


def parse(text: str, *, source: str = "configuration") -> Config:
    """Check TOML text as a whole. Raises `ConfigError` with every problem."""
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{source}: is not valid TOML: brackets within brackets"]) from None
    except ValueError as error:  # TOMLDecodeError, and a number of more than 4300 digits
        raise ConfigError([f"{source}: is not valid TOML: {error}"]) from None
    problems: list[str] = []
    spoilt: set[str] = set()
    sections: dict[str, Any] = {}
    known = typing.get_type_hints(Config)
    board = tables.pop("board", "")
    if board in boards.names():
        tables = boards.under(tables, board)
        sections["board"] = board
    elif board != "":
        spoilt.add("board")
        close = difflib.get_close_matches(str(board), boards.names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(boards.names())}"
        problems.append(f"board: {shown(board)} is unknown, {hint}")
    for name, table in tables.items():
        if name not in known:
            problems.append(_unknown_section(name, table, known, spoilt))
        elif not isinstance(table, dict):
            spoilt.add(name)
            problems.append(f"{name}: is a value, but it names a section: write [{name}]")
        else:
            sections[name] = _section(name, known[name], table, problems, spoilt)
    checked = Config(**sections)
    clashes = [
        clash
        for clash in cross_checks.across(checked)
        if not any(_rests_on(key, spoilt) for key in clash.keys)
    ]
    problems += [clash.problem for clash in clashes]
    # a remote server whose key has a wrong name gets no second line that asks for that key
    spoilt |= {clash.keys[0] for clash in clashes if clash.keys[0].startswith("skills.mcp[")}
    if problems:
        raise ConfigError(problems, checked, spoilt)
    return checked


def _read(path: Path) -> bytes:
    """All of a regular file. Raises `OSError`, and `ConfigError` for anything else."""
    with open(path, "rb", opener=_open) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ConfigError([f"{named(str(path))}: is a pipe or a device, a file is expected"])
        data = file.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        raise ConfigError(
            [f"{named(str(path))}: is longer than {LONGEST_FILE} bytes, a TOML file is expected"]
        )
    return data


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would wait for one


def _rests_on(key: str, spoilt: set[str]) -> bool:
    """The key is reported already, or its section is."""
    return any(key == bad or key.startswith((f"{bad}.", f"{bad}[")) for bad in spoilt)


def _section(
    name: str, kind: type[Section], table: dict[str, Any], problems: list[str], spoilt: set[str]
) -> Any:
    """The section with every good key; a bad one has its default and stands in `spoilt`."""
    hints = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{named(key)}"
        if key not in hints:
            hint = _close(key, hints)
            if key == "board":
                hint = "it stands above the first [section]"
            elif hint:
                spoilt.add(f"{name}.{hint}")
            problems.append(_unknown(where, hint, hints))
            continue
        if hints[key] is _MCP and _is_tables(value):
            values[key] = tuple(
                _section(f"{where}[{place}]", Mcp, entry, problems, spoilt)
                for place, entry in enumerate(value, 1)
            )
            continue
        try:
            values[key] = msgspec.convert(value, hints[key], strict=True)
        except msgspec.ValidationError as error:
            problems.append(
                f"{where}: {_told(hints[key], value)} is not allowed: "
                f"{_reason(error)}, allowed is {allowed(hints[key])}"
            )
            spoilt.add(f"{name}.{key}")
            continue
        breaks = "\n\t\r" if hints[key] is _INSTRUCTIONS else ""
        if holds := _control_character(value, but=breaks):
            problems.append(
                f"{where}: {_told(hints[key], value)} is not allowed: it holds the control "
                f"character {holds!r}, allowed is plain text"
            )
            spoilt.add(f"{name}.{key}")
            del values[key]
    return kind(**values)


def _control_character(value: Any, but: str) -> str:
    """The first one of a text, or of a list of texts, that is not in `but`; else ""."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            for character in text:
                if unicodedata.category(character) == "Cc" and character not in but:
                    return character
    return ""


def _told(hint: Any, value: Any) -> str:
    """A value for a message; those that may hold a key are not shown, or not whole."""
    if hint in (_MCP, _HEADERS):
        return "this value"
    if hint is _URL:
        return without_secrets(value) if isinstance(value, str) else "this value"
    return shown(value)


def _is_tables(value: Any) -> bool:
    """A list of tables that is not too long; anything else is told as any wrong value."""
    tables = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return tables and len(value) <= MOST_MCP


def _unknown_section(name: str, table: Any, known: Mapping[str, Any], spoilt: set[str]) -> str:
    """The problem with a name at the top of the file."""
    where = f"section [{named(name)}]"
    homes = [] if isinstance(table, dict) else _homes(name, known)
    if homes:
        spoilt.update(f"{home}.{name}" for home in homes)
        return f"{where}: is unknown, {named(name)} is a key of [{'] and ['.join(homes)}]"
    close = _close(name, known)
    if close:
        spoilt.add(close)
    return _unknown(where, close, known)


def _homes(key: str, known: Mapping[str, Any]) -> list[str]:
    """The sections that have this key."""
    return [
        section
        for section, kind in known.items()
        if isinstance(kind, type)
        and issubclass(kind, Section)
        and key in typing.get_type_hints(kind)
    ]


def _close(name: str, known: Mapping[str, Any]) -> str:
    return next(iter(difflib.get_close_matches(name[:100], known, n=1)), "")


def _unknown(where: str, hint: str, known: Mapping[str, Any]) -> str:
    if hint in known:
        hint = f"did you mean {hint}?"
    return f"{where}: is unknown, {hint or 'allowed are ' + ', '.join(sorted(known))}"


def _reason(error: msgspec.ValidationError) -> str:
    text = str(error).split(" - at ")[0].replace("`", "").lower()
    return re.sub(r"matching regex .*", "of another form", text)


def allowed(hint: Any) -> str:
    """The values that the type of a key allows, in words."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(hint))
    if origin is Annotated:
        base, meta = typing.get_args(hint)[:2]
        if meta.description is not None:
            return str(meta.description)
        if meta.ge is not None:
            return f"{allowed(base)} from {meta.ge} to {meta.le}"
        if meta.max_length is not None:
            least = meta.min_length or 0
            return f"{allowed(base)} with {least} to {meta.max_length} entries"
    if origin is tuple:
        (entry, _) = typing.get_args(hint)
        return "a list of strings" if entry is str else "a table for each, [[skills.mcp]]"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(allowed(a) for a in typing.get_args(hint) if a is not type(None))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(hint, "a table of texts")
