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


def replace(path: Path, text: str, *, of_others: bool = False) -> None:
    """Replace the content and keep mode, owner and group; the content before is kept beside it.

    Blocks. Raises OSError, and `ConfigError` for the file of another user; `of_others`: root keeps
    it theirs instead.
    """
    path = path.resolve()
    before = path.stat()
    if before.st_uid != os.geteuid() and not (of_others and os.geteuid() == 0):
        raise ConfigError(
            [f"{path}: belongs to another user, who would lose it, allowed is a change by hand"]
        )
    for name, content in (
        (f"{path.name}{BEFORE}", path.read_bytes()),
        (path.name, text.encode()),
    ):
        with atomic_file.draft(path.with_name(name)) as draft:
            draft.write_bytes(content)
            _give(draft, before)
            draft.chmod(stat.S_IMODE(before.st_mode))


def _give(draft: Path, before: os.stat_result) -> None:
    """Give the draft to the owner and the group of the file before."""
    new = draft.stat()
    if (new.st_uid, new.st_gid) != (before.st_uid, before.st_gid):
        os.chown(draft, before.st_uid, before.st_gid)
