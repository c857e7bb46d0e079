"""The life of a connection to the realtime server, as events."""

from dataclasses import dataclass

from parleyd.realtime.events import ServerEvent


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A new socket to the realtime server is open (nothing was received on it yet)."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The socket is gone or could not be opened."""

    reason: str
    fatal: bool = False
    """The link does not try again by itself: the key is refused."""
    later: bool = False
    """The server refuses for now: the link tries in minutes, and at once if a user asks."""


@dataclass(frozen=True, slots=True)
class Expires:
    """The server ends the open socket's session so many seconds from now (by its clock)."""

    in_s: float


LinkEvent = ServerEvent | LinkUp | LinkDown | Expires
