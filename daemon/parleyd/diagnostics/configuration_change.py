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
    name, real = named(str(path)), path.resolve()
    try:
        owner = real.stat().st_uid
        read_only = any(os.statvfs(at).f_flag & os.ST_RDONLY for at in (real, real.parent))
    except OSError as error:
        raise ConfigError([f"{name}: cannot be written ({error.strerror})"]) from None
    if read_only:
        raise ConfigError(
            [
                f"{name}: is on a read-only file system; do: sudo mount -o remount,rw / "
                "(raspi-config: turn the overlay file system off), then again"
            ]
        )
    is_root = os.geteuid() == 0
    may = os.access(real, os.W_OK) and os.access(real.parent, os.W_OK)
    if not may and is_root:
        raise ConfigError([f"{name}: cannot be changed by root either; try: sudo chattr -i {name}"])
    if not may or (owner != os.geteuid() and not is_root):
        raise ConfigError([f"{name}: this user cannot change it, allowed is root: use sudo"])


def write_values(path: Path, values: Mapping[str, Value]) -> list[str]:
    """Give each ``section.key`` its value, all or none; return lines about it for the owner.

    Comments, owner and mode stay. Blocks. Raises `ConfigError`.
    """
    try:
        with kept_file.locked(path):
            text, changed = with_values(config.text_of(path), values, named(str(path)))
            config.parse(text, source=named(str(path)))
            kept_file.replace(path, text, of_others=True)
    except OSError as error:
        raise ConfigError(
            [f"{named(str(path))}: cannot be written ({error.strerror}), and is unchanged"]
        ) from None
    lines = [f"{path}: [{change.section}] {change.after.strip()}" for change in changed]
    return [*lines, f"The file before: {path.resolve()}{kept_file.BEFORE}"]
