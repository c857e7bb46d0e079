"""Who has a place at the server, and who gives it up when all are taken."""

from time import monotonic

from parleyd.local.connection import Connection
from parleyd.local.limits import IDLE_S, MOST_CLIENTS


class Places:
    """The connections that are served, in the order in which they came."""

    def __init__(self) -> None:
        self._taken: list[Connection] = []

    def take(self, newcomer: Connection) -> Connection | None:
        """Give `newcomer` a place; returns who must leave for it.

        The one that must leave never sent anything and came first, else it has been idle
        longest, for `IDLE_S` at least. Raises `LookupError` when all others are busy.
        """
        leaving = None
        if len(self._taken) >= MOST_CLIENTS:
            leaving = self._dispensable(monotonic())
            self._taken.remove(leaving)
        self._taken.append(newcomer)
        return leaving

    def leave(self, connection: Connection) -> None:
        if connection in self._taken:
            self._taken.remove(connection)

    def _dispensable(self, now: float) -> Connection:
        for connection in self._taken:
            if connection.heard_at is None:
                return connection
        idlest = min(self._taken, key=lambda connection: connection.heard_at or now)
        if now - (idlest.heard_at or now) < IDLE_S:
            raise LookupError
        return idlest
