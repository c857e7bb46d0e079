"""Where an utterance begins and ends: a state machine over speech probabilities.

Pure: takes one probability per 32 ms chunk and returns at most one event. Positions are
milliseconds since the first audio of the session.
"""

from dataclasses import dataclass

CHUNK_MS = 32  # the step of the voice detector
HYSTERESIS = 0.15  # this much below the threshold counts as silence; Silero's own recipe
ONSET_CHUNKS = 2  # 64 ms: a click fills one chunk, a syllable fills several
PAUSE_MS = 200  # of silence; recognition then starts early, before the end is certain


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    at_ms: int
    """Where the first chunk of speech begins (no padding)."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Silence for `PAUSE_MS`: possibly the end."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The pause was not the end."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    at_ms: int
    """Where the silence became long enough to end it."""


class SpeechSegmenter:
    """Finds utterances; `silence_ms` may change at any time, even during a pause."""

    def __init__(self, threshold: float, silence_ms: int) -> None:
        self.threshold = threshold
        self.silence_ms = silence_ms
        self.reset(0)

    def reset(self, at_ms: int) -> None:
        """Forget the audio so far; the next chunk begins at `at_ms`."""
        self._now_ms = at_ms
        self._onset_ms = at_ms
        self._loud_chunks = 0
        self._silent_ms = 0
        self._paused = False
        self.speaking = False

    def step(
        self, probability: float
    ) -> SpeechBegan | SpeechPaused | SpeechResumed | SpeechEnded | None:
        """Process the next chunk of 32 ms."""
        start_ms = self._now_ms
        self._now_ms += CHUNK_MS
        if not self.speaking:
            return self._waiting(probability, start_ms)
        return self._talking(probability)

    def _waiting(self, probability: float, start_ms: int) -> SpeechBegan | None:
        if probability < self.threshold:
            self._loud_chunks = 0
            return None
        if self._loud_chunks == 0:
            self._onset_ms = start_ms
        self._loud_chunks += 1
        if self._loud_chunks < ONSET_CHUNKS:
            return None
        self._loud_chunks = 0
        self._silent_ms = 0
        self._paused = False
        self.speaking = True
        return SpeechBegan(self._onset_ms)

    def _talking(self, probability: float) -> SpeechPaused | SpeechResumed | SpeechEnded | None:
        if probability >= self.threshold or (
            self._silent_ms == 0 and probability >= self.threshold - HYSTERESIS
        ):
            self._silent_ms = 0
            if self._paused:
                self._paused = False
                return SpeechResumed()
            return None
        self._silent_ms += CHUNK_MS
        if self._silent_ms >= self.silence_ms:
            self.speaking = False
            return SpeechEnded(self._now_ms)
        if self._silent_ms >= PAUSE_MS and not self._paused:
            self._paused = True
            return SpeechPaused()
        return None
