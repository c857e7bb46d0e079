"""The address of a server on a Unix socket of this machine: ``ws+unix:/path/of/the/socket``.

Pure except for `is_ours`, which queries the kernel.
"""

import os
import socket
import struct
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

SCHEME = "ws+unix"
RESOURCE = "/v1/realtime"
_CREDENTIALS = struct.Struct("3i")  # ucred of unix(7): process, user, group


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system, and the request to make on it."""

    path: str
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> "UnixAddress | None":
        """Parse a URL; None if it is not the address of a Unix socket."""
        if not url.startswith(f"{SCHEME}:"):
            return None
        parts = urlsplit(url)
        return cls(unquote(parts.path), parts.query)

    @property
    def url(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{SCHEME}:{quote(self.path)}{query}"

    @property
    def request(self) -> str:
        """The URL in the WebSocket handshake; its host is meaningless."""
        query = f"?{self.query}" if self.query else ""
        return f"ws://localhost{RESOURCE}{query}"


def is_ours(connected: socket.socket) -> bool:
    """Whether this process itself listens on the connected Unix socket.

    `embedded.child_process` does, and lends the socket to its child; see `SO_PEERCRED` in unix(7).
    """
    size = _CREDENTIALS.size
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    process, user, _ = _CREDENTIALS.unpack(credentials)
    return (process, user) == (os.getpid(), os.geteuid())
