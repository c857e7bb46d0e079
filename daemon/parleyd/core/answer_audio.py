"""The audio of the user's answer to a question for permission, for the device's recogniser."""

from parleyd.core.turn import TurnEvent, TurnTrigger
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.units import Frames

BEFORE_WORD_MS = 400  # of audio before speech is reported: words begin softly
LONGEST_MS = 2900  # as long as the pre-roll buffer; a clear yes takes a third of it


class AnswerAudio:
    """Where the answer begins; owned by the audio thread."""

    def __init__(self, front_end: AudioFrontEnd) -> None:
        self._front_end = front_end
        self._onset: float | None = None

    def follow(self, event: TurnEvent, now: float) -> None:
        """Take each event of the turn; an answer that continues after a pause is one answer."""
        if event is TurnTrigger.QUESTION_ASKED:
            self._onset = None
        elif event is TurnTrigger.USER_SPOKE and self._onset is None:
            self._onset = now

    def utterance(self, now: float) -> Frames | None:
        """The whole answer: int16 at 16 kHz; None if it is too long for a clear yes."""
        if self._onset is None:
            return None
        said_ms = (now - self._onset) * 1000 + BEFORE_WORD_MS
        return self._front_end.recent(said_ms) if said_ms <= LONGEST_MS else None
