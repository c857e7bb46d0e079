"""The measurement that plays sweeps. Pure; driven like the other steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parleyd.audio import level_dbfs
from parleyd.calibration.clocks import Arrival, drift_ppm
from parleyd.calibration.figures import SweepFigures, SweepsFigures
from parleyd.calibration.silence import clipped_runs, microphone_figures
from parleyd.calibration.steps import SETTLES_PERIODS
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

_STALLED_PERIODS = 500
_MOST_PERIODS = 450  # for a sweep of 320: a card that plays too slowly ends it, too
_UNEVEN_FRAMES = 3200  # 0.2 s: sound servers are late by a tenth
_NOISE_AFTER_FRAMES = 3200  # 0.2 s


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
        too_long = len(self._periods) >= self._most * _MOST_PERIODS
        self.done = self.progress >= 1 or self._still > _STALLED_PERIODS or too_long
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
            place = None if sweep.spoilt else self._captured(sweep)
            if place is None:
                continue
            start, stretch = place
            recorded = heard[start : start + length]
            if len(recorded) < length - MIC_PERIOD_FRAMES:
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

    def _captured(self, sweep: _Played) -> tuple[int, int] | None:
        """The frame of the capture at which the sweep left the queue, and its stretch.

        None if it was not played at the rate of the capture.
        """
        out = np.array(self._out)
        during = np.flatnonzero((out >= sweep.start) & (out <= self._end(sweep)))
        if not len(during):
            return None
        ends = (during + 1) * MIC_PERIOD_FRAMES
        began = ends - (out[during] - sweep.start) * MIC_RATE_HZ / self._rate_hz
        if float(np.ptp(began)) > _UNEVEN_FRAMES:
            return None
        near = began[: len(began) // 4 + 1]  # of clocks that drift apart, the beginning counts
        return max(round(float(np.median(near))), 0), self._stretches[int(during[-1])]


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
