"""Reads a configuration file and checks it as a whole.

`load` reads a file. It raises `ConfigError` with *every* problem at once, each as
``section.key: problem, allowed values``. `cross_checks` finds the problems that involve
several keys.
"""

import difflib
import os
import stat
import tomllib
import typing
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from parleyd.config import boards, cross_checks, hosts, toml_hints, wording
from parleyd.config.renamed import new_name
from parleyd.config.schema import MOST_MCP, Config, McpServerConfig, RealtimeConfig, Section
from parleyd.errors import ConfigError
from parleyd.printable import named, shown

LONGEST_FILE = 1_000_000  # bytes; the documented file has 8,000, a log or an image millions

_INSTRUCTIONS = typing.get_type_hints(RealtimeConfig, include_extras=True)["instructions"]


def load(path: Path | None) -> Config:
    """Read and check the file; None means all defaults. Raises `ConfigError`. Blocks."""
    return Config() if path is None else parse(text_of(path), source=named(str(path)))


def text_of(path: Path) -> str:
    """The text of a configuration file, unchecked. Raises `ConfigError`. Blocks."""
    where = named(str(path))
    try:
        return _read(path).decode("utf-8-sig")  # Windows editors write a byte-order mark
    except OSError as error:
        raise ConfigError(
            [f"{where}: cannot be read ({error.strerror}), a TOML file is expected"]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{where}: is not UTF-8 text (byte {error.start}), a TOML file is expected"]
        ) from None


def parse(text: str, *, source: str = "configuration") -> Config:
    """Check TOML text as a whole. Raises `ConfigError` with every problem."""
    checks = _Checks()
    checked = checks.config(tables(text, source))
    checks.across(checked)
    if checks.problems:
        raise ConfigError(checks.problems, checked, checks.spoilt)
    return checked


def _read(path: Path) -> bytes:
    """The content of a regular file. Raises `OSError`, and `ConfigError` for anything else."""
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
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would block


def tables(text: str, source: str) -> dict[str, Any]:
    """The tables of TOML text, unchecked. Raises `ConfigError`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # some systems end lines with "\r" alone
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{source}: is not valid TOML: brackets within brackets"]) from None
    except ValueError as error:  # TOMLDecodeError, and a number of more than 4300 digits
        remedy = toml_hints.hint(text, str(error))
        told = f"{error}: {remedy}" if remedy else f"{error}"
        raise ConfigError([f"{source}: is not valid TOML: {told}"]) from None


class _Checks:
    """Gathers every problem of one file; a wrong key has its default meanwhile."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.spoilt: set[str] = set()
        """Keys and sections whose defaults say nothing about the user's intention."""
        self._sections = typing.get_type_hints(Config)

    def config(self, tables: dict[str, Any]) -> Config:
        """The whole file, without the checks that involve several keys."""
        found: dict[str, Any] = {}
        board = tables.pop("board", "")
        if board in boards.names():
            tables = boards.under(tables, board)
            found["board"] = board
        elif board != "":
            self._unknown_board(board)
        for name, table in tables.items():
            if name not in self._sections:
                self._unknown_section(name, table)
            elif not isinstance(table, dict):
                self.spoilt.add(name)
                self.problems.append(f"{name}: is a value, but it names a section: write [{name}]")
            else:
                found[name] = self._section(name, self._sections[name], table)
        return Config(**found)

    def across(self, checked: Config) -> None:
        """The problems that involve several keys, none of which is reported yet."""
        clashes = [
            clash
            for clash in cross_checks.across(checked)
            if not any(self._rests_on_spoilt(key) for key in clash.keys)
        ]
        self.problems += [clash.problem for clash in clashes]
        # a remote server whose key has a wrong name gets no second line that asks for that key
        self.spoilt |= {
            clash.keys[0] for clash in clashes if clash.keys[0].startswith("skills.mcp[")
        }

    def _rests_on_spoilt(self, key: str) -> bool:
        """The key or its section is reported already."""
        return any(key == bad or key.startswith((f"{bad}.", f"{bad}[")) for bad in self.spoilt)

    # --- a section and its keys -------------------------------------------------------

    def _section(self, name: str, kind: type[Section], table: dict[str, Any]) -> Any:
        """The section with every valid key; the others keep their defaults."""
        hints = typing.get_type_hints(kind, include_extras=True)
        values: dict[str, Any] = {}
        for key, value in table.items():
            where = f"{name}.{named(key)}"
            if key not in hints:
                self._unknown_key(name, key, value, hints)
            elif hints[key] is wording.MCP and _is_tables(value):
                values[key] = tuple(
                    self._section(f"{where}[{place}]", McpServerConfig, entry)
                    for place, entry in enumerate(value, 1)
                )
            elif problem := _problem(where, hints[key], value):
                self.problems.append(problem)
                self.spoilt.add(f"{name}.{key}")
            else:
                values[key] = msgspec.convert(value, hints[key], strict=True)
        return kind(**values)

    # --- unknown names ----------------------------------------------------------------

    def _unknown_board(self, board: Any) -> None:
        self.spoilt.add("board")
        close = difflib.get_close_matches(str(board), boards.names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(boards.names())}"
        self.problems.append(f"board: {shown(board)} is unknown, {hint}")

    def _unknown_section(self, name: str, table: Any) -> None:
        is_table = isinstance(table, dict)
        where = f"section [{named(name)}]" if is_table else named(name)
        homes = [] if is_table else self._homes(name)
        if homes:
            self.spoilt.update(f"{home}.{name}" for home in homes)
            places = "] and [".join(homes)
            self.problems.append(f"{where}: is unknown, it is a key of [{places}]")
            return
        if not is_table and (renamed := self._renamed(name)):
            self.problems.append(wording.unknown(where, renamed, self._sections))
            return
        if _holds_secret(name, table):
            self.problems.append(wording.key_in_file(where))
            return
        close = wording.closest(name, self._sections)
        if close:
            self.spoilt.add(close)
        self.problems.append(wording.unknown(where, close, self._sections))

    def _renamed(self, key: str) -> str:
        """The new name of an earlier version's key, as a hint; "" for any other key."""
        if (found := new_name(key)) is None:
            return ""
        name, change = found
        self.spoilt.add(name)
        return f"it is called {name} now{change}"

    def _homes(self, key: str) -> list[str]:
        """The sections that have this key."""
        return [
            section
            for section, kind in self._sections.items()
            if isinstance(kind, type)
            and issubclass(kind, Section)
            and key in typing.get_type_hints(kind)
        ]

    def _unknown_key(self, name: str, key: str, value: Any, hints: Mapping[str, Any]) -> None:
        where = f"{name}.{named(key)}"
        if "key" not in hints and _holds_secret(key, value):
            self.problems.append(wording.key_in_file(where))
            return
        hint = wording.closest(key, hints)
        if key == "board":
            hint = "it stands above the first [section]"
        elif renamed := self._renamed(key):
            hint = renamed
        elif hint:
            self.spoilt.add(f"{name}.{hint}")
        self.problems.append(wording.unknown(where, hint, hints))


def _problem(where: str, hint: Any, value: Any) -> str:
    """The problem with the value of a known key; "" if there is none."""
    try:
        msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError:
        return wording.not_allowed(where, hint, value)
    breaks = "\n\t\r" if hint is _INSTRUCTIONS else ""
    if character := _control_character(value, but=breaks):
        return wording.not_plain(where, hint, value, character)
    return ""


def _holds_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and hosts.tells_secret(name, value)


def _control_character(value: Any, but: str) -> str:
    """The first one of a text, or of a list of texts, that is not in `but`; else ""."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            for character in text:
                if unicodedata.category(character) == "Cc" and character not in but:
                    return character
    return ""


def _is_tables(value: Any) -> bool:
    """A list of tables that is not too long; anything else is reported as any wrong value."""
    tables = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return tables and len(value) <= MOST_MCP
