"""Whether the server answers a turn by itself, so that it is not asked for the same answer.

Parley asks for every answer and tells the server to begin none (`create_response` is false).
LocalAI and xAI answer all the same, and on LocalAI a `response.create` destroys the
recognition that is under way. So such a server is waited for; others are learnt.
"""

from dataclasses import dataclass

from parleyd.config.servers import Profile

UNKNOWN_WAITS_S = 3.0  # for an unknown server, until it is known: recognition may take 2 s
KNOWN_WAITS_S = 10.0  # for a server that is known to answer; at most half of the user's patience
MOST_VAIN = 2  # waits in a row for a learnt server: one may be a model that loads


@dataclass(slots=True)
class AutoResponse:
    """What is known of one server; survives its sockets. Pure."""

    server: Profile
    answer_within_s: float
    _answers: bool | None = None  # learnt; None: as the profile says
    _waiting: bool = False
    _vain: int = 0  # waits in a row that ended without an answer

    def turn_committed(self, *, by_us: bool) -> float:
        """A turn of the user is complete. Returns the seconds to wait for the server's own
        response before it is asked for one; 0 for a server that waits to be asked."""
        answers = self.server.answers if self._answers is None else self._answers
        self._waiting = False
        if answers is False or (by_us and not self.server.answers_commits):
            return 0.0
        self._waiting = True
        return min(UNKNOWN_WAITS_S if answers is None else KNOWN_WAITS_S, self.answer_within_s / 2)

    def began_by_itself(self) -> None:
        """A response began that was not asked for, while a turn waited for one."""
        self._answers, self._waiting, self._vain = True, False, 0

    def asked(self) -> None:
        """The wait was in vain, and the server was asked. A profile that says that its server
        answers is believed for ever; what was learnt is forgotten after `MOST_VAIN` waits."""
        if self._waiting and self.server.answers is None:
            self._vain += 1
            if self._answers is None:
                self._answers = False
            elif self._vain >= MOST_VAIN:
                self._answers = None
        self._waiting = False

    def announced(self, creates: bool | None) -> None:
        """The confirmed session says `create_response`; only an unknown server is believed."""
        if creates and self.server.answers is None:
            self._answers = True
