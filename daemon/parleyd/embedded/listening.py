"""Microphone audio to turns: voice detection, end of turn, early recognition."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from parleyd.audio import StreamResampler, decode_pcm16
from parleyd.embedded.inputbuffer import InputBuffer
from parleyd.embedded.segmenter import (
    SpeechBegan,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechSegmenter,
)
from parleyd.embedded.session import TurnDetection
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames

SEMANTIC_THRESHOLD = 0.5
SEMANTIC_PREFIX_MS = 300
SEMANTIC_SILENCE_MS = {
    # eagerness: (after a complete command, after anything else). The service waits 8, 4 and
    # 2 s at most for free speech; commands are shorter than sentences.
    "low": (800, 4_000),
    "medium": (500, 2_000),
    "auto": (500, 2_000),
    "high": (300, 1_000),
}
IDLE_KEEP_MS = 1_000  # beyond the padding, for an onset that is detected slightly late


class Detector(Protocol):
    """Speech probabilities of a 16 kHz stream, as of `parleyd.hearing.vad`."""

    def process(self, frames: Frames) -> list[float]: ...
    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TurnBegan:
    start_ms: int
    """Where the turn's audio starts, including the padding."""


@dataclass(frozen=True, slots=True)
class TurnPaused:
    """A pause; the speech so far may already be recognised."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The pause was not the end; discard the early result."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    end_ms: int
    pcm: bytes


TurnEvent = TurnBegan | TurnPaused | TurnResumed | TurnEnded


class Listener:
    """The input audio buffer with its voice detection. One per connection, no I/O."""

    def __init__(self, new_detector: Callable[[], Detector]) -> None:
        self._new_detector = new_detector
        self._detector: Detector | None = None
        self._detection: TurnDetection | None = None
        self._endpointer = SpeechSegmenter(SEMANTIC_THRESHOLD, 0)
        self._resampler = StreamResampler(SERVER_RATE_HZ, MIC_RATE_HZ)
        self._turn_start_ms = 0
        self.buffer = InputBuffer()

    @property
    def speaking(self) -> bool:
        """A turn has begun and has not ended."""
        return self._detection is not None and self._endpointer.speaking

    def configure(self, detection: TurnDetection | None) -> None:
        """Apply new settings; a turn in progress continues with them."""
        was_off, self._detection = self._detection is None, detection
        if detection is None:
            return
        self._endpointer.threshold = detection.threshold
        self._endpointer.silence_ms = self._silence_ms(complete=False)
        if was_off:
            self._restart()

    def prepare(self) -> None:
        """Load the detector if it will be needed; a client that never speaks has none."""
        if self._detector is None and self._detection is not None:
            self._detector = self._new_detector()

    def append(self, pcm: bytes) -> list[TurnEvent]:
        """Add audio; returns the resulting turn events, in order."""
        self.buffer.append(pcm)
        self.prepare()
        if self._detection is None or self._detector is None:
            return []
        frames = self._resampler.process(decode_pcm16(pcm))
        events: list[TurnEvent] = []
        for probability in self._detector.process(frames):
            event = self._step(probability, self._detection)
            if event:
                events.append(event)
        if not self._endpointer.speaking:
            keep_ms = self._prefix_ms(self._detection) + IDLE_KEEP_MS
            self.buffer.drop_before(self.buffer.end_ms - keep_ms)
        return events

    def clear(self) -> None:
        """Discard the audio and the state of voice detection."""
        self.buffer.take_all()
        self._restart()

    def take(self) -> bytes:
        """Take the buffer for a commit by the client; with voice detection, the turn so far."""
        pcm = self.buffer.take_all()
        self._restart()
        return pcm

    def committable_ms(self) -> float:
        """How much the client could commit now; with voice detection, only a turn in progress."""
        if self._detection is not None and not self._endpointer.speaking:
            return 0.0
        return self.buffer.held_ms

    def understood(self, complete: bool) -> None:
        """Report whether early recognition found a whole command: the turn then ends earlier."""
        self._endpointer.silence_ms = self._silence_ms(complete)

    def _step(self, probability: float, detection: TurnDetection) -> TurnEvent | None:
        match self._endpointer.step(probability):
            case SpeechBegan(at_ms):
                self._turn_start_ms = self.buffer.start_at(at_ms - self._prefix_ms(detection))
                self.buffer.drop_before(self._turn_start_ms)
                self._endpointer.silence_ms = self._silence_ms(complete=False)
                return TurnBegan(self._turn_start_ms)
            case SpeechPaused():
                return TurnPaused(self.buffer.between(self._turn_start_ms, self.buffer.end_ms))
            case SpeechResumed():
                self._endpointer.silence_ms = self._silence_ms(complete=False)
                return TurnResumed()
            case SpeechEnded(at_ms):
                pcm = self.buffer.between(self._turn_start_ms, at_ms)
                self.buffer.drop_before(at_ms)
                return TurnEnded(at_ms, pcm)
            case None:
                return None

    def _restart(self) -> None:
        self._resampler = StreamResampler(SERVER_RATE_HZ, MIC_RATE_HZ)
        self._endpointer.reset(self.buffer.end_ms)
        if self._detector is not None:
            self._detector.reset()

    def _prefix_ms(self, detection: TurnDetection) -> int:
        semantic = detection.kind == "semantic_vad"
        return SEMANTIC_PREFIX_MS if semantic else detection.prefix_padding_ms

    def _silence_ms(self, complete: bool) -> int:
        detection = self._detection
        if detection is None or detection.kind == "server_vad":
            return detection.silence_duration_ms if detection else 0
        after_command, otherwise = SEMANTIC_SILENCE_MS[detection.eagerness]
        return after_command if complete else otherwise
