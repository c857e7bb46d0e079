"""Where the control socket is, and who may use it."""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parleyd.errors import ParleyError
from parleyd.system.paths import state_folder

NAME = "control"
SERVICE = Path("/run/parley") / NAME
"""The socket of the service (`RuntimeDirectory=` of the unit)."""
GROUP = "parley"
"""Its members may use the service's socket (`Group=` of the unit)."""
LONGEST_ADDRESS = 107  # bytes; sun_path of unix(7) holds 108 including its end
_PEER_GROUPS = 59  # SO_PEERGROUPS of socket.h since Linux 4.13; Python has no name for it
_MOST_GROUP_BYTES = 1024  # the most that Python asks for: 256 groups
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon puts its socket."""

    path: Path
    shared: bool
    """The group of the process may use it, not only its user."""


def own_place(environ: Mapping[str, str]) -> Place:
    """The place of a daemon with this environment.

    A service uses its runtime directory, any other daemon its private state folder, which no two
    daemons share. Raises `ParleyError` for a user without a home folder.
    """
    if named := environ.get("RUNTIME_DIRECTORY"):
        return Place(Path(named.split(":")[0]) / NAME, shared=True)
    return Place(state_folder(environ) / NAME, shared=False)


def admitted(peer: socket.socket, *, shared: bool) -> bool:
    """Whether the process behind this connection may use the socket, by the kernel's word.

    The file's mode says the same; this also holds if that was changed. Inside the service's user
    namespace other users have no numbers, but root, the service and its group have.
    """
    _, uid, gid = _CREDENTIALS.unpack(
        peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    if uid in (0, os.geteuid()):
        return True
    return shared and os.getegid() in (gid, *_groups(peer))


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a client looks for a daemon: this user's, then the service."""
    with contextlib.suppress(ParleyError):
        yield own_place(environ).path
    yield SERVICE


@contextlib.contextmanager
def short(path: Path) -> Iterator[str]:
    """Yield an address of this path for `bind` and `connect`, which take only short ones."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _groups(peer: socket.socket) -> Iterator[int]:
    with contextlib.suppress(OSError):  # a process in more groups than that
        told = peer.getsockopt(socket.SOL_SOCKET, _PEER_GROUPS, _MOST_GROUP_BYTES)
        for (group,) in struct.iter_unpack("=I", told):
            yield group
