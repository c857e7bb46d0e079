"""The skills' state across restarts and power cuts: one small file, replaced as a whole.

It is read field by field: damage to a field, or to an alarm, loses only that one. Fields of a
newer version are preserved.
"""

import contextlib
import logging
import math
import os
import threading
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec

from parleyd.skills.alarms import MOST_KEPT, Alarm
from parleyd.skills.hours import LATEST, epoch, parsed
from parleyd.system import atomic_file
from parleyd.system.repeats import ONE_OF_A_LIST

LONGEST_FILE = 1 << 18  # bytes; sixty alarms take ten thousand
MOST_LINES = 10  # in the log, about damage
LONGEST_MUTE_S = 24 * 3600.0
MUTE_UNKNOWN = -1.0
"""`Kept.muted_until` if the file no longer contains it: the microphone stays closed until the
user opens it."""

_WITH_MUTE = frozenset({"muted_for_s", "muted_boot", "muted_ends_s", "home_until"})

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)  # raised by msgspec.json.decode

log = logging.getLogger(__name__)


class SavedVolume(msgspec.Struct, kw_only=True, frozen=True):
    """A volume that the user asked for, and the configured one at that time, in percent."""

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    configured: int


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """The file's content."""

    alarms: tuple[Alarm, ...] = ()
    muted_until: float = 0.0
    """Wall clock; the microphone stays closed until then. 0: open. `MUTE_UNKNOWN`: closed."""
    muted_for_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_MUTE_S)] = 0.0
    """The duration that the user asked for; 0: not saved."""
    muted_boot: str = ""
    """The boot of the machine in which the user asked for it, ..."""
    muted_ends_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """... and when that time ends, in seconds since that boot."""
    home_until: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Equal to `muted_until`: only home automation asked for it, and may end it."""
    loudness: SavedVolume | None = None
    """The volume, if it was set by voice. The key is that of version 0.1: its files stay valid."""


class Store:
    """One JSON file; any thread. Its methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._newer: dict[str, msgspec.Raw] = {}  # unknown to this version
        self._kept = self._latest = self._load()

    @property
    def kept(self) -> Kept:
        """The content of the file."""
        return self._kept

    @property
    def latest(self) -> Kept:
        """The content that the file would have if every write had succeeded."""
        return self._latest

    def keep(self, **changes: Any) -> None:
        """Change fields of `Kept`. The change is on the disk when this returns; on OSError the
        file is unchanged, and the next call writes this change too."""
        with self._lock:
            self._latest = msgspec.structs.replace(self._latest, **changes)
            if self._latest != self._kept:
                self._write(self._latest)
                self._kept = self._latest

    def _write(self, kept: Kept) -> None:
        fields = {name: getattr(kept, name) for name in Kept.__struct_fields__}
        content = msgspec.json.encode({**self._newer, **fields})
        if len(content) > LONGEST_FILE:  # the next start would refuse it
            self._newer = {}
            content = msgspec.json.encode(fields)
        atomic_file.write(self._path, content)

    def _load(self) -> Kept:
        """Never raises. Logs the damage, and keeps the damaged file aside."""
        atomic_file.sweep(self._path.parent)
        atomic_file.tighten(self._path)
        try:
            content = atomic_file.read(self._path, LONGEST_FILE)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(self._path):
                return Kept()
            self._mend(Kept(muted_until=MUTE_UNKNOWN), [f"it cannot be read ({error.strerror})"])
            return Kept(muted_until=MUTE_UNKNOWN)
        kept, self._newer, problems = parse(content)
        if problems:
            self._mend(kept, problems)
        return kept

    def _mend(self, kept: Kept, problems: list[str]) -> None:
        """Move the damaged file aside and write its readable part in its place.

        If the file no longer says whether the microphone is closed, no undamaged file and no
        missing file takes its place at any moment.
        """
        for problem in problems[:MOST_LINES]:
            log.error("%s is damaged: %s", self._path, problem, extra=ONE_OF_A_LIST)
        if len(problems) > MOST_LINES:
            log.error("%s is damaged in %d more places", self._path, len(problems) - MOST_LINES)
        if kept.muted_until == MUTE_UNKNOWN:
            log.error("unknown whether the microphone was muted: it stays closed")
        try:
            aside = atomic_file.put_aside(self._path)
        except OSError as error:
            log.error("%s cannot be put aside: %s", self._path, error)
            return
        try:
            self._write(kept)
        except OSError as error:
            log.error("%s cannot be mended: %s", self._path, error)
            if not os.path.lexists(self._path):
                with contextlib.suppress(OSError):
                    aside.rename(self._path)
        else:
            log.error("the damaged file is kept as %s", aside)


def parse(content: bytes) -> tuple[Kept, dict[str, msgspec.Raw], list[str]]:
    """Parse a state file: its content, the fields of a newer version, and its problems."""
    try:
        table = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except _UNREADABLE as error:
        return Kept(muted_until=MUTE_UNKNOWN), {}, [f"all of it is lost: {error}"]
    newer = {name: raw for name, raw in table.items() if name not in Kept.__struct_fields__}
    problems: list[str] = []
    alarms = _alarms(table["alarms"], problems) if "alarms" in table else ()
    loudness = None
    if "loudness" in table:
        try:
            loudness = msgspec.json.decode(table["loudness"], type=SavedVolume | None)
        except _UNREADABLE as error:
            problems.append(f"the volume is lost: {error}")
    mute = _mute(table, problems)
    return Kept(alarms=alarms, loudness=loudness, **mute), newer, problems


def _mute(table: dict[str, msgspec.Raw], problems: list[str]) -> dict[str, Any]:
    """The saved state of a microphone closed by voice: all of it, or `MUTE_UNKNOWN`."""
    if "muted_until" not in table and not _WITH_MUTE.isdisjoint(table):
        problems.append("muted_until is missing")  # it is always written together with the others
    until = _muted_until(table.get("muted_until"), problems)
    if until in (0.0, MUTE_UNKNOWN):
        return {"muted_until": until}
    fields: dict[str, Any] = {"muted_until": until}
    hints = typing.get_type_hints(Kept, include_extras=True)
    for name in sorted(_WITH_MUTE):
        if name not in table:
            continue
        try:
            fields[name] = msgspec.json.decode(table[name], type=hints[name])
        except _UNREADABLE as error:
            problems.append(f"{name} is lost: {error}")
            return {"muted_until": MUTE_UNKNOWN}
    return fields


def _muted_until(raw: msgspec.Raw | None, problems: list[str]) -> float:
    if raw is None:
        return MUTE_UNKNOWN if problems else 0.0  # never written, unless other fields are missing
    try:
        until = msgspec.json.decode(raw, type=float)
    except _UNREADABLE as error:
        problems.append(f"muted_until is lost: {error}")
        return MUTE_UNKNOWN
    if until == MUTE_UNKNOWN:
        return until
    if math.isfinite(until) and 0 <= until <= LATEST:
        return until
    problems.append(f"muted_until is lost: {until} is not a time")
    return MUTE_UNKNOWN


def _alarms(raw: msgspec.Raw, problems: list[str]) -> tuple[Alarm, ...]:
    try:
        listed = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except _UNREADABLE as error:
        problems.append(f"timers are lost: {error}")
        return ()
    if len(listed) > MOST_KEPT:
        problems.append(f"timers are lost: there are {len(listed)}, at most {MOST_KEPT} are kept")
    found = (_alarm(one, n, problems) for n, one in enumerate(listed[:MOST_KEPT], 1))
    return tuple(alarm for alarm in found if alarm is not None)


def _alarm(raw: msgspec.Raw, number: int, problems: list[str]) -> Alarm | None:
    """Parse an alarm field by field: it rings if its instant is still known."""
    try:
        table = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except _UNREADABLE as error:
        problems.append(f"timers are lost: entry {number}: {error}")
        return None
    fields: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(Alarm, include_extras=True).items():
        if name not in table:
            continue
        try:
            fields[name] = msgspec.json.decode(table[name], type=hint)
        except _UNREADABLE as error:
            problems.append(f"{name} of timer {number} is lost: {error}")
    local = parsed(fields.get("local", ""))
    if fields.get("local") and local is None:
        problems.append(f"local of timer {number} is lost: it is not a date and hour")
    if "due" not in fields and local is None:
        problems.append(f"timers are lost: entry {number} does not say when it is due")
        return None
    if "due" not in fields and local is not None:
        fields["due"] = epoch(local)
    return Alarm(**{"id": 0, "name": "", "timer": local is None, **fields})
