"""A new file that replaces nothing: whole or absent, and readable by one user, unless asked."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

FILE_MODE = 0o600
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # FAT, some network disks


def caller() -> tuple[int, int] | None:
    """The user behind `sudo`, who shall own a file that they asked for."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    by_sudo = os.geteuid() == 0 and uid.isdecimal() and gid.isdecimal()
    return (int(uid), int(gid)) if by_sudo else None


def check(path: Path) -> None:
    """Raise the OSError of a `create` that cannot succeed, before the work for its content."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    os.unlink(draft)


def create(
    path: Path, content: bytes, owner: tuple[int, int] | None = None, mode: int = FILE_MODE
) -> None:
    """Create the file with its content. `owner`: user and group, for a file that root creates.

    Raises `FileExistsError` if there is anything at this path, and `OSError`. Blocks.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        try:
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _name(Path(draft), path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _name(draft: Path, path: Path) -> None:
    """Give the finished file its name, unless the name is taken meanwhile."""
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        os.replace(draft, path)
