"""A listening Unix socket that belongs to this process alone, in a separate folder."""

import contextlib
import logging
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd.errors import OfflineSpeechError

PREFIX = "parley-embedded-"
NAME = "realtime"
LONGEST_PATH_BYTES = 107  # sun_path of unix(7) holds 108 including its end
WAITING_CLIENTS = 16  # in the queue while the child restarts; the daemon is one
ABANDONED_AFTER_S = 60.0  # a folder without a socket: its creator died between two system calls
LAST_RESORT = "/tmp"

log = logging.getLogger(__name__)


class PrivateSocket:
    """Binds, listens and keeps the socket open; the process that gets `fileno` accepts from it.

    The folder (0700) is new and has a random name, so it never collides with another file,
    symbolic link or daemon. The kernel keeps the place for as long as this process lives:
    clients that connect while no child accepts wait in the queue.
    Raises `OfflineSpeechError` if no folder is usable.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        reasons = []
        for base in _bases(environ):
            try:
                _remove_abandoned(base)
                self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            except OSError as error:
                reasons.append(f"{base}: {error.strerror}")
                continue
            try:
                self._listen()
            except OSError as error:
                shutil.rmtree(self.folder, ignore_errors=True)
                reasons.append(f"{base}: {error.strerror or error}")
                continue
            return
        raise OfflineSpeechError(
            "the embedded server found no folder for its socket "
            f"({'; '.join(reasons)}): set XDG_RUNTIME_DIR to a short path that you can write to"
        )

    @property
    def path(self) -> str:
        return str(self.folder / NAME)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening, drop waiting clients, and remove the folder; may be called twice."""
        self._socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listen(self) -> None:
        path = self.path
        if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
            raise OSError(f"its path is longer than {LONGEST_PATH_BYTES} bytes")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The socket gets its final name only once it listens: before that, another daemon
            # that starts now would consider it abandoned. Also, asyncio of Python 3.13, which
            # removes the bound name when the child ends, does not find the final name.
            unborn = f"{path[:-1]}~"
            self._socket.bind(unborn)
            os.chmod(unborn, stat.S_IRUSR | stat.S_IWUSR)
            self._socket.listen(WAITING_CLIENTS)
            self._socket.setblocking(False)
            os.rename(unborn, path)
        except OSError:
            self._socket.close()
            raise


def _bases(environ: Mapping[str, str]) -> Iterator[Path]:
    """Candidate places for the folder, the best one first."""
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        given = environ.get(name, "").split(":")[0]
        if not given:
            continue
        if _is_private(Path(given)):
            yield Path(given)
        else:
            log.warning("%s is not a private folder of this user; ignoring it", name)
    temporary = Path(environ.get("TMPDIR") or tempfile.gettempdir())
    yield temporary
    if temporary != Path(LAST_RESORT):
        yield Path(LAST_RESORT)


def _is_private(folder: Path) -> bool:
    """Whether only this user owns it and may write to it (XDG base directories, 0.8)."""
    try:
        status = folder.stat()
    except OSError:
        return False
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return (
        folder.is_absolute()
        and stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not others_write
    )


def _remove_abandoned(base: Path) -> None:
    """Remove the folders of this user's killed daemons."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another daemon may also be removing it
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            if _is_abandoned(folder, status.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path, changed_at: float) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(folder / NAME))
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:
            return not 0 <= time.time() - changed_at < ABANDONED_AFTER_S
        except OSError:  # its queue is full, so a process listens
            return False
    return False
