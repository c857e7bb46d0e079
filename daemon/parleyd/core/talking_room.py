"""A room that talks: other voices interrupt Parley again and again, and nobody addresses it.

After two interruptions within half a minute whose turns brought no words for Parley, no voice
interrupts for the rest of the conversation; wake word, stop word and button do.
"""

HURRY_S = 1.0  # of an answer: the user that asked for it listens for longer
WITHIN_S = 30.0  # a user that is misunderstood twice in that time says the wake word
INTERRUPTIONS = 2  # one may be a cough or a word to another person
MEANS = "other voices in the room: only wake word and button interrupt"


class TalkingRoom:
    """Counts a conversation's interruptions that were for nothing; pure."""

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._ended = True
        self._reply_began_at = float("-inf")
        self._interrupted_at: float | None = None
        self._in_vain: list[float] = []

    @property
    def over(self) -> str:
        """Why no voice interrupts in this conversation; "" if one does."""
        return MEANS if len(self._in_vain) >= INTERRUPTIONS else ""

    def turn_begins(self, now: float, *, interrupts: bool) -> bool:
        """Parley begins to listen; `interrupts`: a voice has interrupted the reply.

        Returns whether the room is now one that talks: a voice that does not wait for the answer
        did not address Parley in the turn before.
        """
        hurries = interrupts and now < self._reply_began_at + HURRY_S
        talks = hurries and self.in_vain()
        self._began_at, self._ended = (now if interrupts else None), False
        return talks

    def turn_ended(self) -> None:
        """A reply is asked for; the server reports on this turn later, maybe during the next."""
        if not self._ended:  # else the user continued to speak while Parley thought
            self._ended, self._interrupted_at = True, self._began_at

    def reply_begins(self, now: float) -> None:
        """The answer becomes audible."""
        self._reply_began_at = now

    def in_vain(self) -> bool:
        """The newest turn that has ended brought no words; return whether the room now talks.

        A second call for the same turn changes nothing, nor one for a turn that the user began
        with the wake word, the button or after a reply.
        """
        at, self._interrupted_at = self._interrupted_at, None
        if at is None or self.over:
            return False
        self._in_vain = [*(earlier for earlier in self._in_vain if earlier > at - WITHIN_S), at]
        return bool(self.over)

    def rest(self) -> None:
        """The conversation is over."""
        self._began_at = self._interrupted_at = None
        self._in_vain.clear()
