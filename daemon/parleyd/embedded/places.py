"""The places of a server, and which client loses its place when all are taken."""

from time import monotonic

from parleyd.embedded.connection import ConnectionHandler
from parleyd.embedded.limits import IDLE_S, MOST_CLIENTS


class Places:
    """The connections that are served, oldest first."""

    def __init__(self) -> None:
        self._taken: list[ConnectionHandler] = []

    def take(self, newcomer: ConnectionHandler) -> ConnectionHandler | None:
        """Give `newcomer` a place; returns the connection that must leave for it, if any.

        That is the first one that never sent a message, otherwise the one that has been idle
        the longest, if for at least `IDLE_S`. Raises `LookupError` when all are busy.
        """
        leaving = None
        if len(self._taken) >= MOST_CLIENTS:
            leaving = self._dispensable(monotonic())
            self._taken.remove(leaving)
        self._taken.append(newcomer)
        return leaving

    def leave(self, connection: ConnectionHandler) -> None:
        if connection in self._taken:
            self._taken.remove(connection)

    def _dispensable(self, now: float) -> ConnectionHandler:
        for connection in self._taken:
            if connection.heard_at is None:
                return connection
        idlest = min(self._taken, key=lambda connection: connection.heard_at or now)
        if now - (idlest.heard_at or now) < IDLE_S:
            raise LookupError
        return idlest
