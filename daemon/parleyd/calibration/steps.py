"""The measurements, period by period: each is driven like the core, by card or simulated room.

Pure: `tick` takes 10 ms of microphone and returns the frames to play next. Owned by one thread,
until `done`; then its figures may be taken on another thread: they need a second of computing.
"""

from typing import Protocol

import numpy as np

from parleyd import config
from parleyd.calibration.figures import (
    SilenceFigures,
    WordFigures,
)
from parleyd.calibration.silence import silence_figures
from parleyd.calibration.spoken_word import word_level
from parleyd.core.events import MicPeriod
from parleyd.units import SILENCE, Frames, ms_to_frames
from parleyd.wake import WakeEngine

SETTLES_PERIODS = 30  # a card that was just opened delivers zeros or a click
SILENCE_PERIODS = 300
WORD_WITHIN_PERIODS = 800
_AFTER_WORD_PERIODS = 30  # the end of the word: engines may detect it early
_MOST_TRIES = 3  # of a measurement that dropouts spoil


class MeasuringStep(Protocol):
    """One measurement; `tick` until `done`."""

    done: bool
    progress: float
    """The part that is over, 0 to 1."""

    def tick(self, period: MicPeriod, count: int) -> Frames:
        """Take 10 ms with an open microphone; return the next `count` frames to play, which keep
        the card's queue full."""
        ...


def wanted_frames(period: MicPeriod, audio: config.AudioConfig) -> int:
    """The number of frames that fill the card's queue up to the lead."""
    return max(0, ms_to_frames(audio.lead_ms, audio.playback_rate_hz) - period.queued_frames)


class SilenceStep:
    """Listens for 3 s, and again after a dropout."""

    def __init__(self) -> None:
        self.done = False
        self.progress = 0.0
        self._periods: list[Frames] = []
        self._tries = 1

    def tick(self, period: MicPeriod, count: int) -> Frames:
        """Keep the period; play silence."""
        if period.xruns and self._tries < _MOST_TRIES and not self.done:
            self._periods.clear()
            self._tries += 1
        if period.frames is not None and not self.done:
            self._periods.append(period.frames)
        self.progress = len(self._periods) / (SETTLES_PERIODS + SILENCE_PERIODS)
        self.done = self.progress >= 1
        return np.zeros(count, np.int16)

    def figures(self) -> SilenceFigures:
        """The figures of the recording."""
        return silence_figures(np.concatenate([SILENCE, *self._periods[SETTLES_PERIODS:]]))


class WordStep:
    """Waits for the wake word, for at most 8 s."""

    def __init__(self, engine: WakeEngine) -> None:
        self.done = False
        self.progress = 0.0
        self._engine = engine
        self._periods: list[Frames] = []
        self._score: float | None = None
        self._cutoff: float | None = None
        self._found_at: int | None = None

    def tick(self, period: MicPeriod, count: int) -> Frames:
        """Hand the period to the engine; play silence."""
        if period.frames is not None and not self.done:
            self._hear(period.frames)
        return np.zeros(count, np.int16)

    def _hear(self, frames: Frames) -> None:
        self._periods.append(frames)
        found = self._engine.process(frames) is not None
        heard = len(self._periods)
        if heard > SETTLES_PERIODS:  # before that, engines may still find the word before
            if (newest := self._engine.score) is not None:
                self._score, self._cutoff = max(self._score or 0.0, newest.score), newest.cutoff
            if found and self._found_at is None:
                self._found_at = heard
        self.progress = heard / WORD_WITHIN_PERIODS
        ended = self._found_at is not None and heard >= self._found_at + _AFTER_WORD_PERIODS
        self.done = ended or self.progress >= 1

    def figures(self) -> WordFigures:
        """The figures of the recording."""
        level, noise = word_level(np.concatenate([SILENCE, *self._periods]))
        return WordFigures(
            found=self._found_at is not None,
            score=self._score,
            cutoff=self._cutoff,
            level_dbfs=level,
            noise_dbfs=noise,
        )
