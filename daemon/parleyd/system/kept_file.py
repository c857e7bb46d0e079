"""An owner's file that Parley changes: the content before stays beside it as ``NAME.before``."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parleyd.errors import ConfigError
from parleyd.system import atomic_file

BEFORE = ".before"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time change the file. Blocks. Raises OSError."""
    folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace(path: Path, text: str) -> None:
    """Replace the content and keep mode and group; the content before is kept beside the file.

    Blocks. Raises OSError, and `ConfigError` for the file of another user.
    """
    path = path.resolve()
    before = path.stat()
    if before.st_uid != os.geteuid():
        raise ConfigError(
            [f"{path}: belongs to another user, who would lose it, allowed is a change by hand"]
        )
    for name, content in (
        (f"{path.name}{BEFORE}", path.read_bytes()),
        (path.name, text.encode()),
    ):
        with atomic_file.draft(path.with_name(name)) as draft:
            draft.write_bytes(content)
            if draft.stat().st_gid != before.st_gid:
                os.chown(draft, -1, before.st_gid)
            draft.chmod(stat.S_IMODE(before.st_mode))
