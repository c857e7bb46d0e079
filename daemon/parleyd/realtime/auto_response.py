"""Whether the server answers a turn by itself, so that Parley does not request the same answer.

Parley requests every answer, and disables the server's own ones (`create_response` is false).
LocalAI and xAI answer anyway, and on LocalAI a `response.create` destroys the running recognition.
So Parley waits for such a server; it learns by itself which other servers do this.
"""

from dataclasses import dataclass

from parleyd.config.servers import Profile

UNKNOWN_WAITS_S = 3.0  # for an unknown server, until it is known: recognition may take 2 s
KNOWN_WAITS_S = 10.0  # for a server that is known to answer; at most half of the user's patience
MOST_VAIN = 2  # successive waits for a learned server: one may be due to a model that is loading


@dataclass(slots=True)
class AutoResponse:
    """The knowledge about one server; survives its sockets. Pure."""

    server: Profile
    response_timeout_s: float
    _answers: bool | None = None  # learned; None: as in the profile
    _waiting: bool = False
    _vain: int = 0  # successive waits that ended without an answer

    def turn_committed(self, *, by_us: bool) -> float:
        """A turn of the user is complete. Returns the seconds to wait for a response that the
        server begins by itself before requesting one; 0 for a server that waits for a request."""
        answers = self.server.answers if self._answers is None else self._answers
        self._waiting = False
        if answers is False or (by_us and not self.server.answers_commits):
            return 0.0
        self._waiting = True
        return min(
            UNKNOWN_WAITS_S if answers is None else KNOWN_WAITS_S, self.response_timeout_s / 2
        )

    def began_by_itself(self) -> None:
        """A response began without a request, while a turn waited for one."""
        self._answers, self._waiting, self._vain = True, False, 0

    def asked(self) -> None:
        """The wait was in vain, and Parley requested an answer. A profile that says that its server
        answers stays valid; learned knowledge is dropped after `MOST_VAIN` waits."""
        if self._waiting and self.server.answers is None:
            self._vain += 1
            if self._answers is None:
                self._answers = False
            elif self._vain >= MOST_VAIN:
                self._answers = None
        self._waiting = False

    def announced(self, creates: bool | None) -> None:
        """Take `create_response` of the confirmed session; only used for an unknown server."""
        if creates and self.server.answers is None:
            self._answers = True
