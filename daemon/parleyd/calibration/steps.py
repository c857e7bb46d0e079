"""The measurements, period by period: each is driven like the core, by card or simulated room.

Pure: `tick` takes 10 ms of microphone and returns the frames to play next. Owned by one thread,
until `done`; then its figures may be taken on another thread: they need a second of computing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.calibration.clocks import Arrival, drift_ppm
from parleyd.calibration.figures import (
    SilenceFigures,
    SweepFigures,
    SweepsFigures,
    WordFigures,
)
from parleyd.calibration.silence import clipped_runs, microphone_figures, silence_figures
from parleyd.calibration.spoken_word import word_level
from parleyd.calibration.sweep import (
    SWEEP_S,
    TAIL_S,
    distortion_db,
    late_db,
    over_noise_db,
    reply_dbfs,
    respond,
    rt60_s,
    sweep_frames,
)
from parleyd.core.events import MicPeriod
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS, SILENCE, Frames, ms_to_frames
from parleyd.wake import WakeEngine

SETTLES_PERIODS = 30  # a card that was just opened delivers zeros or a click
SILENCE_PERIODS = 300
WORD_WITHIN_PERIODS = 800
_AFTER_WORD_PERIODS = 30  # the end of the word: engines may detect it early
_MOST_TRIES = 3  # of a measurement that dropouts spoil
_STALLED_PERIODS = 500
_NOISE_AFTER_FRAMES = 3200  # 0.2 s


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


@dataclass(slots=True)
class _Played:
    """A sweep in the stream of playback."""

    volume: int
    start: int
    """In frames of the playback, counted from the first that was written."""
    spoilt: bool = False


class SweepStep:
    """Plays the sweeps one after the other, without a pause of the card, and records.

    A sweep during which the card dropped frames is played again at the end.
    """

    def __init__(self, volumes: Sequence[int], rate_hz: int, lead_ms: int) -> None:
        """`volumes`: percent, in the order of playing."""
        self.done = False
        self.progress = 0.0
        self._rate_hz, self._lead_ms = rate_hz, lead_ms
        self._volumes = list(volumes)
        self._most = len(self._volumes) * 2
        self._ahead: Frames = np.zeros(ms_to_frames(SETTLES_PERIODS * PERIOD_MS, rate_hz), np.int16)
        self._appended = len(self._ahead)
        self._written = self._still = 0
        self._sweeps: list[_Played] = []
        self._periods: list[Frames] = []
        self._out: list[int] = []  # frames played by the end of each period
        self._stretches: list[int] = []  # dropouts by then
        self._xruns = 0

    def tick(self, period: MicPeriod, count: int) -> Frames:
        """Record the period, and play on."""
        if period.frames is None or self.done:
            return np.zeros(count, np.int16)
        out = self._written - period.queued_frames
        self._still = self._still + 1 if self._out and out <= self._out[-1] else 0
        self._xruns += period.xruns
        self._periods.append(period.frames)
        self._out.append(out)
        self._stretches.append(self._xruns)
        if period.xruns:
            self._spoil(out)
        frames = self._next(count)
        length = (SWEEP_S + TAIL_S) * self._rate_hz
        self.progress = out / (self._appended + len(self._volumes) * length)
        self.done = self.progress >= 1 or self._still > _STALLED_PERIODS
        return frames

    def _spoil(self, out: int) -> None:
        for sweep in self._sweeps:
            near = sweep.start <= out + self._lead and out - self._lead <= self._end(sweep)
            if near and not sweep.spoilt:
                sweep.spoilt = True
                if len(self._sweeps) + len(self._volumes) < self._most:
                    self._volumes.append(sweep.volume)

    @property
    def _lead(self) -> int:
        return ms_to_frames(2 * self._lead_ms, self._rate_hz)

    def _end(self, sweep: _Played) -> float:
        return sweep.start + (SWEEP_S + TAIL_S) * self._rate_hz

    def _next(self, count: int) -> Frames:
        while len(self._ahead) < count and self._volumes:
            volume = self._volumes.pop(0)
            self._sweeps.append(_Played(volume, self._appended))
            frames = sweep_frames(self._rate_hz, volume)
            self._appended += len(frames)
            self._ahead = np.concatenate((self._ahead, frames))
        frames, self._ahead = self._ahead[:count], self._ahead[count:]
        rest = np.zeros(count - len(frames), np.int16)  # keeps the queue full until the end
        self._written += count
        return np.concatenate((frames, rest))

    # --- figures ----------------------------------------------------------------------

    def figures(self) -> SweepsFigures:
        """The figures of all sweeps that no dropout has spoilt."""
        heard = np.concatenate([SILENCE, *self._periods])
        arrivals, figures = [], []
        for sweep in self._sweeps:
            length = round((SWEEP_S + TAIL_S) * MIC_RATE_HZ)
            start, stretch = self._captured(sweep)
            recorded = heard[max(start, 0) : max(start, 0) + length]
            if sweep.spoilt or len(recorded) < length - MIC_PERIOD_FRAMES:
                continue
            echo = respond(recorded)
            arrivals.append(Arrival(sweep.start / self._rate_hz, start, stretch, echo))
            figures.append(_sweep_figures(sweep.volume, arrivals[-1], recorded))
        lost = {sweep.volume for sweep in self._sweeps} - {sweep.volume for sweep in figures}
        return SweepsFigures(
            microphone=microphone_figures(heard[SETTLES_PERIODS * MIC_PERIOD_FRAMES :]),
            sweeps=tuple(figures),
            drift_ppm=drift_ppm(arrivals),
            lead_ms=self._lead_ms,
            xruns=self._xruns,
            spoilt=len(lost),
        )

    def _captured(self, sweep: _Played) -> tuple[int, int]:
        """The frame of the capture at which the sweep left the queue, and its stretch."""
        out = np.array(self._out)
        during = np.flatnonzero((out >= sweep.start) & (out <= self._end(sweep)))
        if not len(during):
            return 0, 0
        ends = (during + 1) * MIC_PERIOD_FRAMES
        began = ends - (out[during] - sweep.start) * MIC_RATE_HZ / self._rate_hz
        near = began[: len(began) // 4 + 1]  # of clocks that drift apart, the beginning counts
        return round(float(np.median(near))), self._stretches[int(during[-1])]


def _sweep_figures(volume: int, arrival: Arrival, recorded: Frames) -> SweepFigures:
    echo = arrival.echo
    after = level_dbfs(recorded[-_NOISE_AFTER_FRAMES:])
    clipped = clipped_runs(recorded)
    if echo.direct is None:
        return SweepFigures(
            volume=volume, heard=False, noise_after_dbfs=after, clipped_runs=clipped
        )
    return SweepFigures(
        volume=volume,
        heard=True,
        delay_ms=echo.direct * 1000 / MIC_RATE_HZ,
        reply_dbfs=reply_dbfs(echo, echo.direct),
        over_noise_db=over_noise_db(echo, echo.direct),
        distortion_db=distortion_db(echo, echo.direct),
        rt60_s=rt60_s(echo, echo.direct),
        late_db=late_db(echo, echo.direct),
        clipped_runs=clipped,
        noise_after_dbfs=after,
    )
