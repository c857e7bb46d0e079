"""Files that survive a power cut: the old one or the new one, never half of either.

Whatever the umask, a file written here can be read by its owner alone (0600) and so can a
folder that is made here (0700).
"""

import contextlib
import errno
import fcntl
import itertools
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from parleyd.errors import ParleyError

FILE_MODE, FOLDER_MODE = 0o600, 0o700
PID = "pid"  # the file that names the process that uses a folder

log = logging.getLogger(__name__)

_DRAFT = re.compile(r"\..+\.([1-9][0-9]{0,8})-[0-9]+\.new")
_numbers = itertools.count(1)
_open_drafts: set[str] = set()  # of this process; sets are changed under the interpreter's lock


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file for reading. Blocks for the disk only.

    Raises OSError, also for a pipe, folder or device in its place, which might block for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read(path: Path, longest: int, check: Callable[[int], None] = lambda opened: None) -> bytes:
    """The content of a regular file of at most `longest` bytes. Blocks for the disk only.

    `check` gets the open file's descriptor, and may raise before anything is read. Raises
    OSError as `opened`, and for a file that is longer.
    """
    with opened(path) as file:
        check(file.fileno())
        content = file.read(longest + 1)
    if len(content) > longest:
        raise OSError(errno.EFBIG, f"it is longer than {longest} bytes", str(path))
    return content


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file; its folder is made if there is none.

    On the disk when this returns, or OSError and the file is what it was. Blocks. Any
    thread, any process: the last one wins.
    """
    with draft(path) as new:
        new.write_bytes(content)


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """An empty file of this call's own that takes the place of `path` at the end of the block.

    If the block raises, it is removed and `path` is what it was. Raises OSError. Blocks.
    """
    make_folder(path.parent)
    new = _own_draft(path)
    try:
        yield new
        _sync(new)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    finally:
        _open_drafts.discard(new.name)
    _sync(path.parent)  # the new name must be on the disk too


def _own_draft(path: Path) -> Path:
    """Make one under a free name: a process of an earlier boot may have had this one's pid."""
    while True:
        new = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.new")
        _open_drafts.add(new.name)
        try:
            _create(new)
        except FileExistsError:
            _open_drafts.discard(new.name)
        except BaseException:
            _open_drafts.discard(new.name)
            raise
        else:
            return new


def make_folder(folder: Path) -> None:
    """Make it and the folders above it where they are missing. Raises OSError."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    try:
        folder.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(FOLDER_MODE)  # a umask may have taken the owner's rights as well


def tighten(path: Path) -> None:
    """Make a file or folder of ours, that an earlier version made, ours alone. Never raises."""
    try:
        status = os.lstat(path)
        open_to_others = stat.S_IMODE(status.st_mode) & 0o077
        if open_to_others and status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode):
            path.chmod(FOLDER_MODE if stat.S_ISDIR(status.st_mode) else FILE_MODE)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("%s stays readable by others: %s", path, error.strerror)


def put_aside(path: Path) -> Path:
    """Give a damaged file a second name, so that its owner can look at it; returns the name.

    `path` still names it, if it is no folder and the file system has links: the caller
    replaces it. An earlier one of that name is lost. Raises OSError.
    """
    aside = path.with_suffix(".broken")
    with contextlib.suppress(OSError):
        aside.unlink()
    try:
        os.link(path, aside, follow_symlinks=False)
    except OSError:
        if os.path.lexists(aside):  # a folder that cannot be removed
            aside = path.with_suffix(f".broken-{os.getpid()}-{next(_numbers)}")
        path.rename(aside)
    return aside


def sweep(folder: Path) -> None:
    """Remove the drafts of processes that died while they wrote. Never raises."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        found = _DRAFT.fullmatch(name)
        if found and name not in _open_drafts and not _lives(int(found[1])):
            log.info("a half-written file of an earlier run is removed: %s", folder / name)
            with contextlib.suppress(OSError):
                (folder / name).unlink()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is this process's alone within the block; the kernel lets go of it if it dies.

    Raises `ParleyError` when another process holds it. A folder that cannot be made or locked
    is logged and used as it is: a daemon with no disk is better than none.
    """
    descriptor = None
    try:
        make_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        log.warning("%s cannot be locked: %s", folder, error.strerror)
    try:
        if descriptor is not None:
            _lock(descriptor, folder)
        if folder.name == "parley":  # no folder that serves others as well
            tighten(folder.resolve())
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """The folder itself, not a file in it, which could be damaged, removed or read-only."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ParleyError(
            f"another Parley{_holder(folder)} uses the state folder {folder}: stop that one first, "
            "or give this one a folder of its own with the environment variable XDG_STATE_HOME"
        ) from None
    except OSError as error:  # network file systems
        log.warning("%s cannot be locked: %s", folder, error.strerror)
    try:
        replace(folder / PID, f"{os.getpid()}\n".encode())
    except OSError as error:
        log.warning("%s cannot be written: %s", folder, error.strerror)


def _holder(folder: Path) -> str:
    """`` (process 123)``, where it is known."""
    try:
        text = read(folder / PID, 20).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {text})" if re.fullmatch(r"[0-9]{1,9}", text) else ""


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return False  # not one of our open drafts: it is from an earlier boot
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _create(path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)  # a umask may have taken the owner's rights as well
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that syncs no folders (CIFS, some FUSE)
            raise
    finally:
        os.close(descriptor)
