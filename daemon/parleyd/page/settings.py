"""The keys of the configuration that the page may change, and a preview of a change.

Only keys that can neither run a program, name a server, a file or a secret, nor store sound or
words. A holder of the token can do no more than make Parley quiet.
"""

import hashlib
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from parleyd import config
from parleyd.config.editing import LineChange, Value, with_values
from parleyd.errors import ConfigError
from parleyd.printable import named

KEYS: Mapping[str, tuple[str, ...]] = {
    "audio": ("volume", "quiet_volume", "alarm_volume", "boot_chime"),
    "wake": ("sensitivity", "refractory_s", "preroll_ms", "stop_word"),
    "earcons": ("level_db",),
    "turn": tuple(config.TurnConfig.__struct_fields__),
    "hearing": tuple(config.HearingConfig.__struct_fields__),
    "realtime": ("speed", "forget_after_min"),
    "skills": ("alarm_timeout_s",),
    "lights": ("brightness", "night", "night_brightness"),
}

BROKEN = "the configuration file has mistakes: `parley check` on the device lists them"

Json = dict[str, Any]
_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_Short = Annotated[str, msgspec.Meta(max_length=200)]


class SettingsChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to change the file."""

    revision: str
    """Of the file that the user saw."""
    changes: Annotated[dict[str, bool | _Whole | float | _Short], msgspec.Meta(max_length=60)]
    """New values by ``section.key``."""


class FileChanged(Exception):
    """The file is not the one that the user saw."""


class Preview(NamedTuple):
    """The file after a change, which has passed every check of the configuration."""

    text: str
    lines: list[LineChange]


def revision(text: str) -> str:
    """A short name of this very text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def described(path: Path | None) -> Json:
    """The keys with their present values, for a form. Raises `ConfigError`. Blocks."""
    text = _text(path)
    present = config.parse(text, source=_source(path))
    comments = _comments()
    return {
        "revision": revision(text),
        "file": "" if path is None else str(path),
        "keys": [
            {
                "name": f"{section}.{key}",
                "about": comments[section, key],
                "value": getattr(getattr(present, section), key),
                "default": getattr(getattr(config.Config(), section), key),
                **_kind(hint),
            }
            for section, key, hint in _hints()
        ],
    }


def preview(path: Path | None, change: SettingsChange) -> Preview:
    """Check a change, without saving it. Blocks.

    Raises: `ConfigError` with every problem, `FileChanged`.
    """
    text = _text(path)
    if revision(text) != change.revision:
        raise FileChanged
    unknown = set(change.changes) - {f"{section}.{key}" for section, key, _ in _hints()}
    if unknown:
        raise ConfigError([f"{named(name)}: cannot be changed here" for name in sorted(unknown)])
    hints = {f"{section}.{key}": hint for section, key, hint in _hints()}
    values = {name: _typed(hints[name], value) for name, value in change.changes.items()}
    try:
        config.parse(text)
    except ConfigError:  # its text may quote other keys
        raise ConfigError([BROKEN]) from None
    after, lines = with_values(text, values, _source(path))
    config.parse(after, source=_source(path))
    return Preview(after, lines)


def _typed(hint: Any, value: bool | int | float | str) -> Value:
    """A whole number for a key with fractions is one with a fraction."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and _kind(hint)["kind"] == "float" else value


def _text(path: Path | None) -> str:
    return "" if path is None else config.text_of(path)


def _source(path: Path | None) -> str:
    return "" if path is None else named(str(path))


def _hints() -> Iterator[tuple[str, str, Any]]:
    sections = typing.get_type_hints(config.Config)
    for section, keys in KEYS.items():
        hints = typing.get_type_hints(sections[section], include_extras=True)
        yield from ((section, key, hints[key]) for key in keys)


def _kind(hint: Any) -> Json:
    """How a form asks for a value of this type."""
    meta = None
    if typing.get_origin(hint) is Annotated:
        hint, meta = typing.get_args(hint)[:2]
    if typing.get_origin(hint) is Literal:
        return {"kind": "choice", "choices": list(typing.get_args(hint))}
    if hint in (int, float):
        return {"kind": hint.__name__, "min": meta.ge, "max": meta.le} if meta else {}
    return {"kind": "bool" if hint is bool else "text"}


@cache
def _comments() -> Mapping[tuple[str, str], str]:
    """The comment above each key of the default file."""
    found: dict[tuple[str, str], str] = {}
    section, comment, fresh = "", "", True
    for line in files("parleyd.config").joinpath("default.toml").read_text("utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section, comment = header[1], ""
        elif line.startswith("#"):
            comment = line[1:] if fresh else comment + line[1:]
            fresh = False
        elif key := re.match(r"(\w+) = ", line):
            found[section, key[1]] = comment.strip()
            fresh = True
    return found
