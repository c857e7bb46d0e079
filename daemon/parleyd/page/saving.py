"""Saves a change of the configuration, in a separate process that systemd starts for each one.

The page itself may not write the file. It asks at a socket, and this process, which listens at no
network, checks the change once more: the same keys, the same rules. A page in the wrong hands can
save nothing else. systemd lets the daemon read the file again afterwards.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from parleyd.errors import ConfigError, ParleyError
from parleyd.page.settings import FileChanged, SettingsChange, preview
from parleyd.system import atomic_file

SOCKET = Path("/run/parley-page-save")
"""Of parley-page-save.socket."""
LONGEST_REQUEST = 1 << 14
ANSWERS_WITHIN_S = 60.0  # a Pi that is busy starts Python in seconds


class SaveReply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a `SettingsChange`."""

    saved: bool = False
    changed: bool = False
    """The file was changed by others since the user saw it."""
    problems: list[str] = []


def save(path: Path, line: bytes) -> SaveReply:
    """Carry out the request of one line. Blocks."""
    try:
        change = msgspec.json.decode(line, type=SettingsChange)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return SaveReply(problems=[f"not a change of settings: {error}"])
    try:
        with _locked(path):
            _write(path.resolve(), preview(path, change).text)
    except FileChanged:
        return SaveReply(changed=True)
    except ConfigError as error:
        return SaveReply(problems=list(error.problems))
    except OSError as error:
        return SaveReply(problems=[f"{path} cannot be written: {error.strerror}"])
    return SaveReply(saved=True)


async def ask_to_save(socket: Path, change: SettingsChange) -> SaveReply:
    """Have a change saved by the other process. Raises `ParleyError`."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(msgspec.json.encode(change) + b"\n")
                return msgspec.json.decode(await reader.readline(), type=SaveReply)
            finally:
                writer.close()
    except TimeoutError:
        raise ParleyError("the configuration was not saved in time: see the journal") from None
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise ParleyError(f"no process saves the configuration ({error})") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One change after the other. Raises OSError."""
    folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, text: str) -> None:
    """Replace the file; the one before is kept beside it. Raises OSError, `ConfigError`."""
    before = path.stat()
    if before.st_uid != os.geteuid():
        raise ConfigError(
            [f"{path}: belongs to another user, who would lose it, allowed is a change by hand"]
        )
    for name, content in ((f"{path.name}.before", path.read_bytes()), (path.name, text.encode())):
        with atomic_file.draft(path.with_name(name)) as draft:
            draft.write_bytes(content)
            draft.chmod(stat.S_IMODE(before.st_mode))
