"""When the connection to the server is wanted, renewed or abandoned, and what the light shows."""

from enum import Enum, auto

from parleyd.core.events import Reconnect, RenewConnection, SetConnectionWanted
from parleyd.enums import quick

LONGEST_S = 3600.0  # OpenAI ends every session after 60 minutes
RENEW_BEFORE_S = 300.0  # from here on renew at the next idle moment; turns take seconds
LAST_MOMENT_S = 15.0  # from here on renew at once: the server would cut the turn off anyway
BELIEVED_S = 60.0  # a server that announces less has a wrong clock
READY_WITHIN_S = 60.0  # of an open socket; a server at home may load its models first: 30 s seen
MOST_READY_S = 300.0  # that wait, doubled after each socket that was abandoned
REST_AFTER_S = 30.0  # on-wake: the user's second thoughts come within that


@quick
class _State(Enum):
    RESTING = auto()  # no turn needs it
    CONNECTING = auto()
    UP = auto()
    RENEWING = auto()  # as good as up: a turn that begins meanwhile waits
    DOWN = auto()
    PUT_OFF = auto()  # the server refuses for now; the next turn tries again
    REFUSED = auto()  # no retry can help


class ConnectionPolicy:
    """The policy of one connection; pure, owned by the audio thread, `now` in monotonic seconds."""

    def __init__(self, connection: str) -> None:
        self._warm = connection == "warm"
        self._state = _State.CONNECTING if self._warm else _State.RESTING
        self._reason = "connecting"
        self._opened: float | None = None  # the socket, while it is not ready
        self._patience_s = READY_WITHIN_S
        self._life = (0.0, 0.0)  # of the socket: from, to
        self._asked = False  # in this turn
        self._idle_since: float | None = None

    # --- events of the connection -----------------------------------------------------

    def opened(self, now: float) -> None:
        """A socket is open; the server has not said anything yet."""
        self._opened = now
        self._life = (now, now + LONGEST_S)
        if self._state is not _State.RENEWING:
            self._state, self._reason = _State.CONNECTING, "waiting for the server"

    def expires(self, in_s: float, now: float) -> None:
        """The server says that it ends this session in the given seconds; it may be wrong."""
        if BELIEVED_S <= in_s < LONGEST_S:
            self._life = (now, now + in_s)

    def ready(self) -> None:
        """The server has accepted the configuration."""
        self._opened = None
        self._patience_s = READY_WITHIN_S
        self._state, self._reason = _State.UP, ""

    def down(self, reason: str, fatal: bool, later: bool = False) -> None:
        """The socket is gone or could not be opened; see `ConnectionDown`."""
        self._opened = None
        put_off = _State.PUT_OFF if later else _State.DOWN
        self._state = _State.REFUSED if fatal else put_off
        self._reason = reason

    # --- the state --------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """The server is ready for a turn."""
        return self._state is _State.UP

    @property
    def refused(self) -> str:
        """Why the server refuses every turn; "" if it does not."""
        return self._reason if self._state is _State.REFUSED else ""

    @property
    def put_off(self) -> str:
        """Why the server refuses for now; "" if it does not."""
        return self._reason if self._state is _State.PUT_OFF else ""

    @property
    def missed(self) -> str:
        """Why a turn would not be answered at once; "" if it would."""
        missed = self._state in (_State.CONNECTING, _State.DOWN)
        return self._reason if missed else ""

    def next(
        self, idle: bool, now: float, forgets: str = ""
    ) -> SetConnectionWanted | RenewConnection | Reconnect | None:
        """At every period: the effect for the connection, if there is one.

        After all but `Connect(True)` the session is over. `forgets`: why the server's
        conversation is to be replaced in a quiet moment; "" if it is not.
        """
        self._idle_since = (self._idle_since or now) if idle else None
        if idle:
            self._asked = False
        elif not self._asked and self._state in (_State.RESTING, _State.DOWN, _State.PUT_OFF):
            self._asked = True
            return SetConnectionWanted(True)
        if self._opened is not None and now - self._opened >= self._patience_s:
            self._opened = None
            self._patience_s = min(2 * self._patience_s, MOST_READY_S)
            return Reconnect("the server did not begin the session")
        if self._renewal_due(idle, now):
            self._state = _State.RENEWING
            return RenewConnection("the session reaches its longest time")
        if forgets and idle and self._state is _State.UP:
            self._state = _State.RENEWING
            return RenewConnection(forgets)
        if not self._warm and self._rested(now):
            self._opened = None
            self._state, self._reason = _State.RESTING, "connecting"
            return SetConnectionWanted(False)
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
