"""Writes single values into the owner's configuration file, and keeps the file before."""

import os
from collections.abc import Mapping
from pathlib import Path

from parleyd import config
from parleyd.config.editing import Value, with_values
from parleyd.errors import ConfigError
from parleyd.printable import named
from parleyd.system import kept_file


def check_writable(path: Path) -> None:
    """Raise `ConfigError` if this user cannot replace the file."""
    real = path.resolve()
    for target in (real, real.parent):
        if not os.access(target, os.W_OK):
            raise ConfigError(
                [f"{named(str(path))}: this user cannot change it, allowed is root: use sudo"]
            )


def write_values(path: Path, values: Mapping[str, Value]) -> list[str]:
    """Give each ``section.key`` its value, all or none; return lines about it for the owner.

    Comments, owner and mode stay. Blocks. Raises `ConfigError`.
    """
    try:
        with kept_file.locked(path):
            text, changed = with_values(config.text_of(path), values, named(str(path)))
            config.parse(text, source=named(str(path)))
            kept_file.replace(path, text)
    except OSError as error:
        raise ConfigError(
            [f"{named(str(path))}: cannot be written ({error.strerror}), allowed is root: use sudo"]
        ) from None
    lines = [f"{path}: [{change.section}] {change.after.strip()}" for change in changed]
    return [*lines, f"The file before: {path.resolve()}{kept_file.BEFORE}"]
