"""The line to the server as the core sees it: what is shown, when it is wanted and renewed."""

from enum import Enum, auto

from parleyd.core.events import Connect, Reconnect, Renew

LONGEST_S = 3600.0  # OpenAI ends every session after 60 minutes
RENEW_BEFORE_S = 300.0  # from here on the next idle moment is taken; turns take seconds
LAST_MOMENT_S = 15.0  # from here on any moment: being cut off by the server is no better
BELIEVED_S = 60.0  # a shorter life that is announced is a clock that is wrong
READY_WITHIN_S = 60.0  # of an open socket; a server at home may load its models first: 30 s seen
MOST_READY_S = 300.0  # that wait, doubled after each socket that was abandoned
REST_AFTER_S = 30.0  # on-wake: follow-ups and second thoughts come within that


class _State(Enum):
    RESTING = auto()  # nobody needs it
    CONNECTING = auto()
    UP = auto()
    RENEWING = auto()  # as good as up: what is said meanwhile waits
    DOWN = auto()
    PUT_OFF = auto()  # the server refuses for now; the next turn tries again
    REFUSED = auto()  # no retry can help


class Line:
    """Owned by the audio thread; pure, `now` in seconds, monotonic."""

    def __init__(self, connection: str) -> None:
        self._warm = connection == "warm"
        self._state = _State.CONNECTING if self._warm else _State.RESTING
        self._reason = "connecting"
        self._opened: float | None = None  # the socket, while it is not ready
        self._patience_s = READY_WITHIN_S
        self._life = (0.0, 0.0)  # of the socket: from, to
        self._asked = False  # in this turn
        self._idle_since: float | None = None

    # --- what is told -----------------------------------------------------------------

    def opened(self, now: float) -> None:
        """A socket is open; nothing was heard on it yet."""
        self._opened = now
        self._life = (now, now + LONGEST_S)
        if self._state is not _State.RENEWING:
            self._state, self._reason = _State.CONNECTING, "waiting for the server"

    def expires(self, in_s: float, now: float) -> None:
        """The server ends this session so many seconds from now; may be nonsense."""
        if BELIEVED_S <= in_s < LONGEST_S:
            self._life = (now, now + in_s)

    def ready(self) -> None:
        """The server has accepted our configuration."""
        self._opened = None
        self._patience_s = READY_WITHIN_S
        self._state, self._reason = _State.UP, ""

    def down(self, reason: str, fatal: bool, later: bool = False) -> None:
        """The socket is gone or could not be opened; see `LinkDown`."""
        self._opened = None
        put_off = _State.PUT_OFF if later else _State.DOWN
        self._state = _State.REFUSED if fatal else put_off
        self._reason = reason

    # --- what is asked ----------------------------------------------------------------

    @property
    def up(self) -> bool:
        """The server listens."""
        return self._state is _State.UP

    @property
    def refused(self) -> str:
        """Why every turn is useless; "" when it is not."""
        return self._reason if self._state is _State.REFUSED else ""

    @property
    def put_off(self) -> str:
        """Why the server refuses for now; "" when it does not."""
        return self._reason if self._state is _State.PUT_OFF else ""

    @property
    def missed(self) -> str:
        """Why nobody would be answered at once; "" when all is as it should be."""
        missed = self._state in (_State.CONNECTING, _State.DOWN)
        return self._reason if missed else ""

    def next(self, idle: bool, now: float, forgets: str = "") -> Connect | Renew | Reconnect | None:
        """At every heartbeat: what is to be done about the line. After all but
        `Connect(True)` the session on it is over. `forgets`: why the server's conversation is to
        be replaced in a quiet moment, if it is."""
        self._idle_since = (self._idle_since or now) if idle else None
        if idle:
            self._asked = False
        elif not self._asked and self._state in (_State.RESTING, _State.DOWN, _State.PUT_OFF):
            self._asked = True
            return Connect(True)
        if self._opened is not None and now - self._opened >= self._patience_s:
            self._opened = None
            self._patience_s = min(2 * self._patience_s, MOST_READY_S)
            return Reconnect("the server did not begin the session")
        if self._renewal_due(idle, now):
            self._state = _State.RENEWING
            return Renew("the session reaches its longest time")
        if forgets and idle and self._state is _State.UP:
            self._state = _State.RENEWING
            return Renew(forgets)
        if not self._warm and self._rested(now):
            self._opened = None
            self._state, self._reason = _State.RESTING, "connecting"
            return Connect(False)
        return None

    # --- inside -----------------------------------------------------------------------

    def _renewal_due(self, idle: bool, now: float) -> bool:
        begin, end = self._life
        before_s = min(RENEW_BEFORE_S, (end - begin) / 4) if idle else LAST_MOMENT_S
        return self._state is _State.UP and now >= end - before_s

    def _rested(self, now: float) -> bool:
        open_ = self._state in (_State.CONNECTING, _State.UP, _State.DOWN)
        since = self._idle_since
        return open_ and since is not None and now - since >= REST_AFTER_S
