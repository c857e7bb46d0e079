"""Recognise Parley's own voice in the microphone, with any delay and through any device.

The canceller and its delay estimator compare waveforms; a delay beyond their reach, a delay that
jumps, or a device that bends the sound defeats them. This compares spectra over time, coarse
enough to survive all of that: the correlation coefficient of the levels in 16 bands, for each
delay up to 2.4 s.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parleyd.audio import FULL_SCALE, SlidingWindow, db_to_power, power_to_db
from parleyd.hearing.fft import rfft
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Floats, Frames

FARTHEST = 2400 * MIC_RATE_HZ // 1000
"""The longest delay that is found, in frames: wireless loudspeakers have up to 2 s."""

HEARD = MIC_RATE_HZ
"""Frames of the microphone that are compared: 0.6 s let one voice in ten pass for another."""

_PERIODS = HEARD // MIC_PERIOD_FRAMES
_SLACK = 100 * MIC_PERIOD_FRAMES
_HOP, _FFT = 320, 640  # 20 ms: the delay estimator searches 300 ms around the result
_EDGES_HZ = np.geomspace(250, 6000, 17)  # voices, without the bands of hum and of codecs
_LEAST_DB = 1.0  # of variation: silence is like everything
_RANGE_DB = np.float32(25.0)  # below the loudest: a weaker echo under a user must not count as much
_AUDIBLE_DBFS = -55.0
_NO_POWER = 1e-12
_FADES = db_to_power(-0.001)  # per period, 6 dB a minute: the volume is turned down
_SAME = 0.65  # 1 s of other voices: at most 0.61 (n 60); of echo: 0.7 to 1
_DIFFERENT = 0.45
_LOUDER_DB = 10.0  # than the filter's echo: it may be stale, but it has learned how loud echo is
_LEFT_DB, _CANCELLED_DB = 3.0, 6.0  # real devices: 4 to 20 dB are cancelled


class OwnVoice(NamedTuple):
    """How much the last second after the canceller resembles the playback."""

    similarity: float
    """The correlation at the best delay, -1..1; 0 if the microphone hears nothing, or a sound that
    is much louder than the echo."""

    delay: int
    """That delay in frames, from passing a reference frame to its sound; to 20 ms."""

    removed_db: float
    """The level of the microphone over the level after the canceller."""

    @property
    def uncancelled(self) -> bool:
        """It is Parley's own voice, which the canceller has left in."""
        return self.similarity >= _SAME and self.removed_db < _LEFT_DB

    @property
    def cancelled(self) -> bool:
        """The canceller removes the echo, or there is none."""
        return self.similarity < _DIFFERENT or self.removed_db >= _CANCELLED_DB


class OwnVoiceSearch:
    """Keeps the last second of one stream; pure, one `push` per period, `compare` on demand."""

    def __init__(self) -> None:
        self._mic = SlidingWindow(HEARD, _SLACK, np.int16)
        self._cleaned = SlidingWindow(HEARD, _SLACK, np.int16)
        self._echo = deque([0.0] * _PERIODS, maxlen=_PERIODS)
        self._power = self._loudest = 0.0  # of the last second's echo, and of the loudest second's

    def push(self, mic: Frames, cleaned: Frames, echo_dbfs: float) -> None:
        """Take one period before and after the canceller, and the level of its estimated echo."""
        self._mic.push(mic)
        self._cleaned.push(cleaned)
        power = db_to_power(echo_dbfs) / _PERIODS
        self._power = max(0.0, self._power + power - self._echo[0])
        self._echo.append(power)
        self._loudest = max(self._power, self._loudest * _FADES)

    def compare(self, reference: Frames, *, learned: bool) -> OwnVoice | None:
        """Compare with the newest `HEARD` + `FARTHEST` frames that were passed to the loudspeaker.

        `learned`: the canceller has had a delay, so that its estimate was as loud as the echo
        (it forgets that when the echo moves). A much louder sound is a user, whatever it is like.

        Returns None if playback was silent. About 1 ms, as long as one or two periods take.
        """
        reference = reference[-HEARD - FARTHEST :]
        if _dbfs(reference) < _AUDIBLE_DBFS:
            return None
        cleaned_dbfs = _dbfs(self._cleaned.samples)
        removed_db = _dbfs(self._mic.samples) - cleaned_dbfs
        louder = learned and cleaned_dbfs > power_to_db(self._loudest + _NO_POWER) + _LOUDER_DB
        if louder or cleaned_dbfs < _AUDIBLE_DBFS:
            return OwnVoice(0.0, 0, removed_db)
        alike = _correlations(_levels_db(reference), _levels_db(self._cleaned.samples))
        best = int(np.argmax(alike))
        return OwnVoice(float(alike[best]), (len(alike) - 1 - best) * _HOP, removed_db)


def _correlations(played_db: Floats, heard_db: Floats) -> Floats:
    """Return Pearson's coefficient for each position of `heard_db` in `played_db`."""
    rows, bands = heard_db.shape
    heard = heard_db - heard_db.mean(axis=0)
    played = played_db - played_db.mean(axis=0)
    sums = _sums(played, rows)
    power = _sums(np.square(played), rows).sum(axis=1) - np.square(sums).sum(axis=1) / rows
    least = _LEAST_DB**2 * heard.size
    windows = np.lib.stride_tricks.sliding_window_view(played.ravel(), rows * bands)[::bands]
    norms = np.sqrt((np.maximum(power, 0.0) + least) * (np.square(heard).sum() + least))
    return np.asarray(windows @ heard.ravel() / norms, np.float32)


def _sums(levels: Floats, rows: int) -> NDArray[np.float64]:
    """Return the sums of each band over each window of that many rows."""
    until = np.zeros((len(levels) + 1, levels.shape[1]))
    np.cumsum(levels, axis=0, out=until[1:])
    return until[rows:] - until[:-rows]


def _levels_db(sound: Frames) -> Floats:
    """Return the level of each band in dB, one row for each 20 ms."""
    blocks = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float32), _FFT)[::_HOP]
    spectra = rfft(blocks * _HANN, _FFT)[:, : _EDGES[-1]]
    power = np.square(spectra.real) + np.square(spectra.imag)
    levels = _DB_PER_LOG * np.log(np.add.reduceat(power, _EDGES[:-1], axis=1) + _ONE)
    return np.asarray(np.maximum(levels, levels.max() - _RANGE_DB), np.float32)


def _dbfs(sound: Frames) -> float:
    samples = sound.astype(np.float32) / np.float32(FULL_SCALE)
    return power_to_db(float(samples @ samples) / len(samples) + _NO_POWER)


_ONE, _DB_PER_LOG = np.float32(1.0), np.float32(10 / np.log(10))
_HANN = np.hanning(_FFT).astype(np.float32)
_EDGES = np.unique(np.rint(_EDGES_HZ * _FFT / MIC_RATE_HZ)).astype(np.intp)
