"""Saves a change of the configuration, in a separate process that systemd starts for each one.

The page itself may not write the file. It asks at a socket, and this process, which listens at no
network, checks the change once more: the same keys, the same rules. A page in the wrong hands can
save nothing else. systemd lets the daemon read the file again afterwards.
"""

import asyncio
from pathlib import Path

import msgspec

from parleyd.errors import ConfigError, ParleyError
from parleyd.page.settings import FileChanged, SettingsChange, preview
from parleyd.system import kept_file

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
        with kept_file.locked(path):
            kept_file.replace(path, preview(path, change).text)
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
