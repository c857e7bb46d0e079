"""The lights of a daemon that was killed: dark, whatever they showed last.

A chain of LEDs keeps its colour, and a pin its level, when the process that set them dies.
"""

import contextlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from parleyd import config
from parleyd.config import boards
from parleyd.errors import ConfigError
from parleyd.lights import factory
from parleyd.system import atomic_file

FILE = "lights.json"
LONGEST_FILE = 1 << 20  # bytes; the annotated default configuration has 10,000


def remember(settings: config.Lights, environ: Mapping[str, str] = os.environ) -> None:
    """Note in the service's runtime directory which lights are driven. Raises nothing.

    The configuration may say something else, or be broken, when they are to be darkened.
    """
    if (path := _path(environ)) is not None:
        with contextlib.suppress(OSError):
            atomic_file.replace(path, msgspec.json.encode(settings))


def to_darken(path: Path | None, environ: Mapping[str, str] = os.environ) -> config.Lights:
    """The lights that were driven last; without a note of that, those of the configuration.

    Of a broken configuration every good line of [lights] counts. Raises nothing.
    """
    if (note := _path(environ)) is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeError):
            return msgspec.json.decode(atomic_file.read(note, LONGEST_FILE), type=config.Lights)
    try:
        return config.load(path).lights
    except ConfigError:
        return config.Lights() if path is None else _salvaged(path)


def darken(settings: config.Lights) -> None:
    """Drive the output dark and let go of it. Raises `LightsError`, or OSError of the device."""
    if settings.output == "terminal":
        return  # the terminal's own dot went with its last line
    output = factory.create(settings)
    if output is not None:
        output.close()


def _path(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(named) / FILE if named else None


def _salvaged(path: Path) -> config.Lights:
    """Line by line, because one broken line makes all of a TOML file unreadable."""
    try:
        lines = atomic_file.read(path, LONGEST_FILE).decode("utf-8", "replace").splitlines()
    except OSError:
        return config.Lights()
    section, board, found = "", "", dict[str, Any]()
    for line in lines:
        if line.lstrip().startswith("["):
            section = line.strip().strip("[]").strip()
        elif section == "lights":
            found |= _good(f"[lights]\n{line}", "lights")
        elif section == "":
            board = _good(line, "").get("board", board)
    if board in boards.names():
        found = boards.under({"lights": found}, board).get("lights", {})
    return config.Lights(**found)


def _good(text: str, section: str) -> dict[str, Any]:
    """What one line says, if it is right by itself; else nothing."""
    try:
        config.parse(text)
    except ConfigError:
        return {}
    table: dict[str, Any] = tomllib.loads(text)
    return table.get(section, {}) if section else table
