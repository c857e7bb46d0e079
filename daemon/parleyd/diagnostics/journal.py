"""Past turns in the log, read from the journal or from the lines of a file."""

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from parleyd.realtime.usage import LARGEST

SAID = "say"
"""What has begun a row that is no turn: tokens for a spoken text."""

_PAIR = re.compile(r"(\w+)=(\S*)")
_PLAIN = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ +parleyd\.turns: (.*)$")

Field = float | bool | str | None


@dataclass(slots=True)
class LoggedTurn:
    """One turn of the log, with the usage of its responses."""

    at: datetime
    fields: dict[str, Field]
    usage: dict[str, float] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """Return a measured figure, or None (for example, if the turn was not interrupted)."""
        value = self.usage.get(name, self.fields.get(name))
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


class _Entry(msgspec.Struct):
    """The used fields of a journal entry (`journalctl -o json`: all values are texts)."""

    message: str = msgspec.field(name="MESSAGE", default="")
    logger: str = msgspec.field(name="LOGGER", default="")
    pid: str = msgspec.field(name="_PID", default="")
    time_us: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="0")


def turns(lines: Iterable[str | bytes], most: int) -> list[LoggedTurn]:
    """Return the newest `most` turns, oldest first; other lines and broken lines are skipped.

    Lines are entries of `journalctl -o json`, or Parley's log lines from a terminal.
    """
    found: dict[tuple[str, int, int], LoggedTurn] = {}
    early: dict[tuple[str, int, int], dict[str, float]] = {}  # usage precedes its turn
    newest: dict[str, tuple[int, int]] = {}  # run and number, by process
    texts = itertools.count()
    for line in lines:
        entry = _entry(line)
        if entry is None:
            continue
        process, at, message = entry
        name, _, rest = message.partition(" ")
        fields = {key: _value(text) for key, text in _PAIR.findall(rest)}
        number = fields.get("turn")
        if name not in ("turn", "usage") or not isinstance(number, int | float):
            continue
        if name == "usage" and number == 0:  # a text of `parley say`, outside of all turns
            said = LoggedTurn(at, {"turn": 0, "begun_by": SAID})
            _add(said.usage, fields)
            found[process, -1, next(texts)] = said
            _keep(found, most)
            continue
        run, last = newest.get(process, (0, 0))
        if number < last or (number == last and name == "turn"):
            run, last = run + 1, 0  # numbers restart: a reload, or another run in one file
        newest[process] = (run, int(number) if name == "turn" else last)
        key = (process, run, int(number))
        if name == "usage":
            spent = found[key].usage if key in found else early.setdefault(key, {})
            _add(spent, fields)
        else:
            found[key] = LoggedTurn(at, fields, early.pop(key, {}))
        _keep(found, most)
        _keep(early, most)
    return list(found.values())


def _keep(rows: dict[Any, Any], most: int) -> None:
    """Forget the oldest rows above `most`."""
    while len(rows) > most:
        rows.pop(next(iter(rows)))


def _entry(line: str | bytes) -> tuple[str, datetime, str] | None:
    """Return process, time and message of a line of the turn log; None for another line."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    try:
        if not text.startswith("{"):
            plain = _PLAIN.match(text.rstrip("\n"))
            return ("", datetime.fromisoformat(plain[1]), plain[2]) if plain else None
        entry = msgspec.json.decode(text, type=_Entry)
        at = datetime.fromtimestamp(int(entry.time_us) / 1e6)
    except (msgspec.DecodeError, ValueError, OverflowError, OSError, RecursionError):
        return None  # journalctl prints a message that is not text as a list of bytes
    return (entry.pid, at, entry.message) if entry.logger == "parleyd.turns" else None


def _add(spent: dict[str, float], fields: dict[str, Field]) -> None:
    for name, value in fields.items():
        if name != "turn" and isinstance(value, int | float) and 0 <= value <= LARGEST:
            spent[name] = spent.get(name, 0) + value


def _value(text: str) -> Field:
    if text in ("None", "True", "False", ""):
        return {"None": None, "True": True, "False": False}.get(text, "")
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
