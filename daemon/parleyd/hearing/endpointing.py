"""Local detection of the start and end of a turn, for servers that do not detect them."""

from collections import deque
from enum import Enum

from parleyd.hearing import ProcessedPeriod

_VOICE = 0.5  # a chunk above this is speech ...
_STILL_VOICE = 0.35  # ... and one above this continues speech: hysteresis
_STARTS = 3  # of the last _WINDOW chunks: 96 ms, shorter than "no", longer than a knock
_WINDOW = 5


class SpeechBoundary(Enum):
    """An event of `Endpointer.update`."""

    STARTED = "started"
    ENDED = "ended"


class Endpointer:
    """Start and end of speech from the voice probability; pure, `now` in seconds.

    `silence_ms`: the hangover, the silence after which speech has ended.
    """

    def __init__(self, silence_ms: int) -> None:
        self._silence_s = silence_ms / 1000
        self._chunks: deque[bool] = deque(maxlen=_WINDOW)
        self.voiced_at: float | None = None
        """When voice was last detected, on the clock of `now`."""
        self.reset()

    def reset(self, speaking: bool = False) -> None:
        """Restart; `speaking`: whether the user speaks already (after a barge-in)."""
        self.speaking = speaking
        self._voiced_at: float | None = None
        self._chunks.clear()

    def update(self, heard: ProcessedPeriod, now: float) -> SpeechBoundary | None:
        """Process the period that ended at `now`; return ENDED once, `silence_ms` after speech."""
        if heard.voice_chunk and heard.voice > _VOICE:
            self.voiced_at = now
        if self.speaking:
            return self._continue(heard, now)
        if not heard.voice_chunk:
            return None
        self._chunks.append(heard.voice > _VOICE)
        if sum(self._chunks) < _STARTS:
            return None
        self.reset(speaking=True)
        self._voiced_at = now
        return SpeechBoundary.STARTED

    def _continue(self, heard: ProcessedPeriod, now: float) -> SpeechBoundary | None:
        if self._voiced_at is None or (heard.voice_chunk and heard.voice > _STILL_VOICE):
            self._voiced_at = now
        if now - self._voiced_at < self._silence_s:
            return None
        self.reset()
        return SpeechBoundary.ENDED
