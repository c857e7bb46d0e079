"""Switch off the lights of a killed daemon.

A chain of LEDs keeps its colour, and a pin its level, after the death of their process.
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


def remember(settings: config.LightsConfig, environ: Mapping[str, str] = os.environ) -> None:
    """Save the driven lights in the service's runtime directory. Raises nothing.

    By the time the lights are switched off, the configuration may have changed or be broken.
    """
    if (path := _path(environ)) is not None:
        with contextlib.suppress(OSError):
            atomic_file.write(path, msgspec.json.encode(settings))


def to_darken(path: Path | None, environ: Mapping[str, str] = os.environ) -> config.LightsConfig:
    """Return the saved lights, or those of the configuration if none are saved.

    If the configuration is broken, every valid line of [lights] still counts. Raises nothing.
    """
    if (note := _path(environ)) is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeError):
            return msgspec.json.decode(
                atomic_file.read(note, LONGEST_FILE), type=config.LightsConfig
            )
    try:
        return config.load(path).lights
    except ConfigError:
        return config.LightsConfig() if path is None else _salvaged(path)


def darken(settings: config.LightsConfig) -> None:
    """Switch the output off and free it. Raises `LightsError`, or OSError of the device."""
    if settings.output == "terminal":
        return  # the dot in a terminal is gone already
    output = factory.create(settings)
    if output is not None:
        output.close()


def _path(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(named) / FILE if named else None


def _salvaged(path: Path) -> config.LightsConfig:
    """Parse line by line, because one broken line makes a whole TOML file unreadable."""
    try:
        lines = atomic_file.read(path, LONGEST_FILE).decode("utf-8", "replace").splitlines()
    except OSError:
        return config.LightsConfig()
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
    return config.LightsConfig(**found)


def _good(text: str, section: str) -> dict[str, Any]:
    """Return the values of one line if it is valid on its own, else an empty table."""
    try:
        config.parse(text)
    except ConfigError:
        return {}
    table: dict[str, Any] = tomllib.loads(text)
    return table.get(section, {}) if section else table
