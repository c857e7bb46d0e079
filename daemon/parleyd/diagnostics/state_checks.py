"""The checks of `parley doctor` for the state folder: permissions, files, and free space."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.errors import ParleyError
from parleyd.skills import store
from parleyd.system import atomic_file
from parleyd.system.paths import state_folder

LEAST_FREE_MB = 50  # ten recorded turns need 110 MB, the journal some, the daemon nothing
SKILLS = "skills.json"
FILES = (SKILLS, "echo.npz", atomic_file.PID)
FOLDERS = ("turns",)
ELSEWHERE = "set XDG_STATE_HOME to a folder that this user can write"
START = "start Parley: it keeps all readable entries, and saves the file as skills.broken"
NO_ROOM = f"free some space, at least {LEAST_FREE_MB} MB"


def state(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the state folder is writable, its files are readable, and space is free."""
    try:
        folder = state_folder(environ)
    except ParleyError as error:
        yield Finding("state", Severity.FAIL, str(error).partition(";")[0], ELSEWHERE)
        return
    place = _nearest(folder)
    try:
        _try(place)
    except OSError as error:
        text = f"{place} is not writable ({error.strerror})"
        yield Finding("state", Severity.FAIL, text, _remedy(folder, place, error))
        return
    yield from _contents(folder)
    free_mb = shutil.disk_usage(place).free // 1_000_000
    low = free_mb < LEAST_FREE_MB
    yield Finding(
        "state",
        Severity.FAIL if low else Severity.OK,
        f"{folder} is writable, {free_mb} MB are free",
        NO_ROOM if low else "",
    )


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or its closest existing parent."""
    return next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path("/"))


def _try(place: Path) -> None:
    """Write a temporary file there. Raises OSError."""
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    with tempfile.TemporaryFile(dir=place) as file:
        file.write(b"\0")
        file.flush()


def _remedy(folder: Path, place: Path, error: OSError) -> str:
    real = place.resolve() if place.is_dir() else place
    own = place == folder and real.name == remedies.OWN_NAME and _among_ours(real)
    match error.errno:
        case errno.EROFS | errno.EIO:
            return "see `dmesg`: the disk is read-only or fails; repair it or use another card"
        case errno.ENOSPC | errno.EDQUOT:
            return NO_ROOM
        case errno.ENOTDIR:
            return remedies.move_aside(place) if own else ELSEWHERE
        case errno.EACCES | errno.EPERM if own:
            ours = real.stat().st_uid == os.geteuid()
            return remedies.chmod("700", real) if ours else remedies.take_over(real)
        case errno.EACCES if folder.name == remedies.OWN_NAME and place in _homely():
            missing = [p for p in (folder, *folder.parents) if not os.path.lexists(p)]
            return remedies.make(missing[::-1])
    return ELSEWHERE


def _among_ours(real: Path) -> bool:
    """Return whether the folder is in this user's home or in a folder of theirs."""
    home = Path.home().resolve()
    if _homely() and home in real.parents:
        return True
    return real.parent.stat().st_uid == os.geteuid()


def _homely() -> list[Path]:
    """Return folders in which this user may create folders: only those in their own home."""
    home = Path.home()
    if home == Path("/") or not home.is_dir() or home.stat().st_uid != os.geteuid():
        return []
    return [home / ".local" / "state", home / ".local", home]


def _contents(folder: Path) -> Iterator[Finding]:
    """Find unreadable or damaged files. A start of Parley restricts files open to others."""
    for name in (*FILES, *FOLDERS):
        path = folder / name
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if name == SKILLS and not stat.S_ISREG(status.st_mode):
            # if the owner moved it, a microphone that was muted by voice would open
            yield Finding("state", Severity.WARN, f"{path} is not a file", START)
        elif not (stat.S_ISDIR if name in FOLDERS else stat.S_ISREG)(status.st_mode):
            kind = "folder" if name in FOLDERS else "file"
            text = f"{path} is not a {kind}, but one is expected there"
            yield Finding("state", Severity.FAIL, text, remedies.move_aside(path))
        elif not os.access(path, os.R_OK | (os.W_OK | os.X_OK if name in FOLDERS else 0)):
            ours = status.st_uid == os.geteuid()
            mode = "700" if name in FOLDERS else "600"
            remedy = remedies.chmod(mode, path) if ours else remedies.take_over(path)
            yield Finding("state", Severity.FAIL, f"this user cannot use {path}", remedy)
        elif name == SKILLS:
            yield from _skills(path)


def _skills(path: Path) -> Iterator[Finding]:
    try:
        problems = store.parse(atomic_file.read(path, store.LONGEST_FILE))[2]
    except OSError as error:
        problems = [str(error.strerror)]
    for problem in problems[: store.MOST_LINES]:
        yield Finding("state", Severity.WARN, f"{path} is damaged: {problem}", START)
