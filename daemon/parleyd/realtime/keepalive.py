"""When to ping, and when a silent peer is dead. Pure: `now` is monotonic seconds.

While a user may be waiting, a dead Wi-Fi is detected within 5 s (one ping interval, the deadline,
one check), and a stall of 3 s is tolerated. Otherwise pings only keep routers awake.
"""

from enum import Enum, auto

LOOK_S = 0.25  # interval between calls of `next`
WAITED_S = 20.0  # after the last event that we sent, a user may wait this long for an answer
PING_S, SILENT_S = 0.5, 4.0  # while a user may wait; TCP retransmits after up to 3.2 s
IDLE_PING_S, IDLE_SILENT_S = 20.0, 20.0  # OpenAI's server itself pings every 20 s


class KeepaliveAction(Enum):
    """The next action."""

    NOTHING = auto()
    PING = auto()
    DEAD = auto()  # abort the socket


class Keepalive:
    """The keepalive of one socket; any received data is a sign of life, not only pongs."""

    def __init__(self, now: float, patience: float = 1) -> None:
        """`patience`: a multiple of `SILENT_S` for a peer's silence while a user may wait."""
        self._patience = patience
        self.was_busy = False
        """The peer was silent for longer than `SILENT_S`, and then sent something."""
        self._sent: float | None = None
        self._pinged = now
        self._unanswered: float | None = None  # the first ping since the last received data

    def sent(self, now: float) -> None:
        """We sent an event that may be answered."""
        self._sent = now

    def heard(self, now: float) -> None:
        """Data of any kind was received."""
        if self._unanswered is not None and now >= self._unanswered:
            self.was_busy |= now - self._unanswered >= SILENT_S
            self._unanswered = None

    def next(self, now: float) -> KeepaliveAction:
        """The next action; a returned PING counts as sent."""
        waited = self._sent is not None and now - self._sent < WAITED_S
        silent_s = SILENT_S * self._patience
        if not waited:
            silent_s = max(silent_s, IDLE_SILENT_S)
        if self._unanswered is not None and now - self._unanswered >= silent_s:
            return KeepaliveAction.DEAD
        if now - self._pinged < (PING_S if waited else IDLE_PING_S):
            return KeepaliveAction.NOTHING
        self._pinged = now
        if self._unanswered is None:
            self._unanswered = now
        return KeepaliveAction.PING
