"""The offline voice: speaks the name of an alarm, and questions for permission."""

import logging

from parleyd.embedded.synthesizer import Synthesizer
from parleyd.errors import OfflineSpeechError
from parleyd.units import Frames

log = logging.getLogger(__name__)


class Announcer:
    """Offline speech, loaded when it is first needed. One thread at a time; blocks."""

    def __init__(self) -> None:
        self._synthesizer: Synthesizer | None = None
        self._missing = False

    def say(self, words: str) -> Frames | None:
        """Speak the words: int16 at 24 kHz; None if offline speech is missing (logged once)."""
        if self._synthesizer is None and not self._missing:
            try:
                self._synthesizer = Synthesizer()
            except OfflineSpeechError as error:
                self._missing = True
                log.warning("alarms ring without words, permission is refused: %s", error)
        return self._synthesizer.synthesize(words) if self._synthesizer is not None else None
