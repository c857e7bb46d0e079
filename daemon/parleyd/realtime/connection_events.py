"""The life of a connection to the realtime server, as events."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from parleyd.realtime.events import ServerEvent


@dataclass(frozen=True, slots=True)
class ConnectionUp:
    """A new socket to the realtime server is open (nothing was received on it yet)."""


@dataclass(frozen=True, slots=True)
class ConnectionDown:
    """The socket is gone or could not be opened."""

    reason: str
    fatal: bool = False
    """There will be no further attempt: the server refuses the key."""
    later: bool = False
    """The server refuses for now: the next attempt is in minutes, or at once if a user asks."""


@dataclass(frozen=True, slots=True)
class SessionExpiry:
    """The server ends the open socket's session in this number of seconds (by its clock)."""

    in_s: float


class Link(NamedTuple):
    """The connection, for a display."""

    state: Literal["up", "connecting", "resting"]
    """`resting`: no turn needs it."""
    round_trip_ms: float | None = None
    """Of the newest ping; None before the first answer."""


ConnectionEvent = ServerEvent | ConnectionUp | ConnectionDown | SessionExpiry
