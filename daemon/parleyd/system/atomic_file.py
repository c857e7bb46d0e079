"""Files that survive a power cut: either the old or the new content, never a part of one.

With any umask, only the owner can read a file that is written here (0600) or a folder that is
created here (0700).
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
PID = "pid"  # the file with the number of the process that uses a folder

log = logging.getLogger(__name__)

_DRAFT = re.compile(r"\..+\.([1-9][0-9]{0,8})-[0-9]+\.new")
_numbers = itertools.count(1)
_open_drafts: set[str] = set()  # this process's drafts; the interpreter's lock guards the set


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Blocks only for the disk.

    Raises OSError, also for a pipe, folder or device, because reading it might block forever.
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
    """Return the content of a regular file of at most `longest` bytes. Blocks only for the disk.

    `check` receives the open file's descriptor and may raise before the read. Raises OSError
    like `opened`, and for a longer file.
    """
    with opened(path) as file:
        check(file.fileno())
        content = file.read(longest + 1)
    if len(content) > longest:
        raise OSError(errno.EFBIG, f"it is longer than {longest} bytes", str(path))
    return content


def write(path: Path, content: bytes) -> None:
    """Replace the file's content; create its folder if it is missing.

    The new content is on the disk when this returns. On OSError, the file is unchanged.
    Blocks. Any thread and any process; the last one wins.
    """
    with draft(path) as new:
        new.write_bytes(content)


@contextlib.contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Create an empty file, unique to this call, that replaces `path` at the end of the block.

    If the block raises, the file is removed and `path` is unchanged. Raises OSError. Blocks.
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
    _sync(path.parent)  # puts the new name on the disk


def _own_draft(path: Path) -> Path:
    """Create a draft under a free name: a process of an earlier boot may have had this pid."""
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
    """Create the folder and its parents if they are missing. Raises OSError."""
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
        folder.chmod(FOLDER_MODE)  # a umask may remove the owner's rights as well


def tighten(path: Path) -> None:
    """Restrict our file or folder from an earlier version to its owner. Never raises."""
    try:
        status = os.lstat(path)
        open_to_others = stat.S_IMODE(status.st_mode) & 0o077
        if open_to_others and status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode):
            path.chmod(FOLDER_MODE if stat.S_ISDIR(status.st_mode) else FILE_MODE)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("%s stays readable by other users: %s", path, error.strerror)


def put_aside(path: Path) -> Path:
    """Give a damaged file a second name, so its owner can inspect it; return the name.

    `path` stays valid if it is not a folder and the file system supports links; the caller
    replaces it. An earlier file under the second name is lost. Raises OSError.
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
            log.info("removing a half-written file of an earlier run: %s", folder / name)
            with contextlib.suppress(OSError):
                (folder / name).unlink()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock the folder for this process within the block; the kernel unlocks it at process death.

    Raises `ParleyError` if another process holds the lock. A folder that cannot be created or
    locked is logged and used anyway, because a daemon without a disk is better than none.
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
        if folder.name == "parley":  # never a folder that other programs use as well
            tighten(folder.resolve())
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """Lock the folder itself, because a file in it may be damaged, removed or read-only."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ParleyError(
            f"another Parley{_holder(folder)} uses the state folder {folder}: stop it first, or "
            "choose another folder with the environment variable XDG_STATE_HOME"
        ) from None
    except OSError as error:  # network file systems
        log.warning("%s cannot be locked: %s", folder, error.strerror)
    try:
        write(folder / PID, f"{os.getpid()}\n".encode())
    except OSError as error:
        log.warning("%s cannot be written: %s", folder, error.strerror)


def _holder(folder: Path) -> str:
    """Return `` (process 123)``, or "" if the process is unknown."""
    try:
        text = read(folder / PID, 20).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {text})" if re.fullmatch(r"[0-9]{1,9}", text) else ""


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return False  # not one of our open drafts, so it is from an earlier boot
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def _create(path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)  # a umask may remove the owner's rights as well
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems sync no folders (CIFS, some FUSE)
            raise
    finally:
        os.close(descriptor)
