"""When to ping, and when a peer that says nothing is dead. Pure: `now` is seconds, monotonic.

While a user may be waiting, a dead Wi-Fi is noticed within 5 s (one ping interval, the
deadline, one look); a stall of 3 s is ridden over. Else pings only keep routers awake.
"""

from enum import Enum, auto

LOOK_S = 0.25  # how often `next` is to be asked
WAITED_S = 20.0  # after what we sent last, somebody may wait for an answer so long
PING_S, SILENT_S = 0.5, 4.0  # while somebody waits; TCP's repeats reach 3.2 s
IDLE_PING_S, IDLE_SILENT_S = 20.0, 20.0  # OpenAI's server itself pings every 20 s


class Beat(Enum):
    """What to do now."""

    NOTHING = auto()
    PING = auto()
    DEAD = auto()  # give the socket up


class Pulse:
    """The pulse of one socket; any data that comes in is a sign of life, not only pongs."""

    def __init__(self, now: float, patience: float = 1) -> None:
        """`patience`: how many times `SILENT_S` a peer may be silent while a user may wait."""
        self._patience = patience
        self.was_busy = False
        """The peer was silent for longer than `SILENT_S`, and then it was heard."""
        self._sent: float | None = None
        self._pinged = now
        self._unanswered: float | None = None  # the first ping since something was heard

    def sent(self, now: float) -> None:
        """Something was sent that may be answered."""
        self._sent = now

    def heard(self, now: float) -> None:
        """Something came in, no matter what."""
        if self._unanswered is not None and now >= self._unanswered:
            self.was_busy |= now - self._unanswered >= SILENT_S
            self._unanswered = None

    def next(self, now: float) -> Beat:
        """What to do now; a returned PING counts as sent."""
        waited = self._sent is not None and now - self._sent < WAITED_S
        silent_s = SILENT_S * self._patience
        if not waited:
            silent_s = max(silent_s, IDLE_SILENT_S)
        if self._unanswered is not None and now - self._unanswered >= silent_s:
            return Beat.DEAD
        if now - self._pinged < (PING_S if waited else IDLE_PING_S):
            return Beat.NOTHING
        self._pinged = now
        if self._unanswered is None:
            self._unanswered = now
        return Beat.PING
