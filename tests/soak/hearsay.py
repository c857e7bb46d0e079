"""A cheap stand-in for the echo control: the test sets the talker, the scores are realistic.

It replaces the canceller with its reference, the voice detector and the classifier. Pre-roll,
wake-word gate, barge-in decision, end of turn and duplex judgement are real.
"""

from random import Random

import numpy as np

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.own_voice import OwnVoice
from parleyd.units import MIC_PERIOD_FRAMES, Frames

_NOTHING = np.zeros(MIC_PERIOD_FRAMES, np.int16)
_VOICE = (8000 * np.sin(np.arange(MIC_PERIOD_FRAMES) * 0.3)).astype(np.int16)


def _heard(
    cleaned: Frames, score: float, sure: float, chunk: bool, talker: float
) -> ProcessedPeriod:
    level_dbfs = -25.0 if cleaned.any() else -60.0
    return ProcessedPeriod(cleaned, score, sure, chunk, talker, sure, level_dbfs, -50.0)


_SILENCE = [_heard(_NOTHING, 0.0, 0.02, chunk, 0.02) for chunk in (False, True)]
_SPEECH = [_heard(_VOICE, 10.0, 0.95, chunk, 0.95) for chunk in (False, True)]
_COUGH = [_heard(_VOICE, 8.0, 0.1, chunk, 0.9) for chunk in (False, True)]


class Hearsay:
    """Replaces `parleyd.hearing.echo_control.EchoControl`; `speaks` and `coughs` set its output."""

    delay_ms = 0.0

    def __init__(self, random: Random) -> None:
        self._random = random
        self._periods = 0
        self.speaks = False
        self.coughs = False
        self.voice_of_its_own: OwnVoice | None = None

    def process(
        self, mic: Frames, reference: Frames, now: float, *, attentive: bool = True
    ) -> ProcessedPeriod:
        """Return the period that `speaks` and `coughs` ask for; 5 % of speech reads as silence."""
        self._periods += 1
        chunk = self._periods % 3 == 0
        if self.speaks:
            return (_SPEECH if self._random.random() < 0.95 else _SILENCE)[chunk]
        return (_COUGH if self.coughs else _SILENCE)[chunk]

    def reset_detectors(self) -> None:
        """Do nothing: there is no state to reset."""

    def overhear(self, cleaned: Frames, now: float, *, first: bool) -> float | None:
        """Return nothing: no voice is heard before the wake word."""

    def own_voice(self) -> OwnVoice | None:
        """Return `voice_of_its_own`: None, nothing is known, unless a test sets it."""
        return self.voice_of_its_own

    def microphone_is(self, *, processed: bool) -> None:
        """It hears through every microphone."""

    def on_xrun(self, now: float) -> None:
        """Ignore frames that the card lost."""

    def dropped(self, frames: int) -> None:
        """Ignore a dropped canceller reference."""

    def echo_path(self) -> None:
        """Return nothing: no state is worth persisting across restarts."""


class Unreferenced:
    """Implements `parleyd.hearing.reference.Reference` without audio: no echo is cancelled."""

    slipped = False

    def __init__(self, device_rate_hz: int, primed_frames: int = 0) -> None:
        pass

    def written(self, frames: Frames) -> None:
        """Ignore the frames that go to the loudspeaker next."""

    def dropped(self, queued_frames: int) -> int:
        """Ignore frames that the loudspeaker never plays; returns 0."""
        return 0

    def take(self) -> Frames:
        """Return one period of silence."""
        return _NOTHING
