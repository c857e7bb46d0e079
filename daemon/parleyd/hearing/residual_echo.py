"""Score the level after the canceller that neither residual echo nor room noise explains.

A high score indicates a user. Each mel band has a predicted level without a user: a learned
share ("leak") of the estimated echo and its tail, the filter's own uncertainty, and the noise
floor. The score is the mean excess over that prediction.
"""

import numpy as np
from numpy.typing import NDArray

from parleyd.audio import LEAST_POWER
from parleyd.hearing.echo_canceller import BINS, FFT, HOP, CancelledBlock
from parleyd.hearing.fft import rfft
from parleyd.units import MIC_RATE_HZ, Floats

BANDS = 24
CUES = 6
_LOWEST_HZ = 100.0  # hum and handling noise are lower
_HIGHEST_HZ = 7600.0  # converters roll off above

_TAIL = np.float32(10**-0.06)  # 0.6 dB per period: the decay of a room with an RT60 of 1 s
_SPREAD = np.float32(10**-1.5)  # distortion: each band expects at least the mean echo - 15 dB
_UNCERTAINTY_WEIGHT = np.float32(3.0)
_HANN_SHARE = np.float32(0.375)  # power of a Hann window relative to a rectangular one

# Unequal steps give a quantile: 0.06 / (0.375 + 0.06) puts 86 % of echo-only periods below it.
_LEAK_UP_DB = np.full(BANDS, 0.375, np.float32)
_LEAK_DOWN_DB = np.full(BANDS, 0.06, np.float32)
_LEAK_LEAST_DB, _LEAK_MOST_DB = np.float32(-20.0), np.float32(6.0)
_SUSPICIOUS = 3.0  # a higher score is probably a user, whom the leak must not learn:
_SUSPICIOUS_SLOWDOWN = np.float32(0.1)

# The floor follows a low quantile of the smoothed power: speech has gaps, noise has none.
_SMOOTHING = np.float32(0.8)
_FLOOR_UP_DB = np.float32(0.05)  # 5 dB a second, so a sentence raises it only slightly
_FLOOR_DOWN_DB = np.full(BANDS, 0.1, np.float32)
_FLOOR_BIAS_DB = np.float32(2.0)  # from that quantile to the mean
_FLOOR_LOWEST_DB = np.float32(-100.0)
_SETTLING_PERIODS = 30  # at first, the floor is the minimum of 0.3 s

_COHERENCE_SHARE = np.float32(0.2)  # 50 ms, a syllable

_MARGIN_DB = np.float32(3.0)
_ENOUGH_DB = np.float32(12.0)  # one loud band is a click, not a voice


class ResidualEchoEstimator:
    """Echo-aware score of one stream of cancelled periods; bounded, deterministic."""

    def __init__(self) -> None:
        self._signals = np.zeros((2, FFT), np.float32)  # error and echo
        self._power = np.zeros((4, BINS), np.float32)
        self._coherence = np.zeros((4, BANDS), np.float32)
        self._tail = np.zeros(BANDS, np.float32)
        self._leak_db = np.full(BANDS, -6.0, np.float32)
        self._smoothed = np.zeros(BANDS, np.float32)
        self._floor_db = np.full(BANDS, np.inf, np.float32)
        self._periods = 0
        self._levels = np.zeros((6, BANDS), np.float32)  # of the newest period, as power
        self.cues = np.zeros(CUES * BANDS, np.float32)
        """The inputs of the last `excess_db`: five dB values, then coherence, for each band."""

    @property
    def noise_db(self) -> Floats:
        """The noise floor of each band in dB, relative to the other bands; a copy."""
        return self._floor_db + _FLOOR_BIAS_DB

    def excess_db(self, period: CancelledBlock) -> float:
        """Return the mean over bands of the excess above a margin of 3 dB, each at most 12 dB."""
        levels = self._levels
        error, predicted, noise, spread, mic, uncertainty = levels
        bands = self._bands(period)
        error[:], echo, cross, _ = bands
        np.maximum(error + echo + 2 * cross, 0, out=mic)  # |error + echo|²
        np.maximum(echo, self._tail * _TAIL, out=self._tail)
        np.matmul(_MEL_OF_UNCERTAINTY, period.uncertainty, out=uncertainty)
        np.maximum(self._tail, _SPREAD * _mean(self._tail), out=spread)
        noise[:] = _power(self.noise_db) if self._periods else error
        np.multiply(_power(self._leak_db), spread, out=predicted)
        predicted += uncertainty
        predicted += noise
        levels_db = _db(levels)
        error_db = levels_db[0]
        excess_db = error_db - levels_db[1]
        self._set_cues(levels_db, excess_db, bands)
        over_db = np.minimum(np.maximum(excess_db - _MARGIN_DB, 0), _ENOUGH_DB)
        score = float(_mean(over_db))
        self._learn_leak(excess_db, score, audible=spread > noise)
        self._learn_floor(error, echo_free=spread < noise)
        return score

    def _bands(self, period: CancelledBlock) -> Floats:
        """Return each band's power of error and echo, and both parts of their cross power."""
        self._signals[:, :HOP] = self._signals[:, HOP:]
        self._signals[0, HOP:] = period.error
        self._signals[1, HOP:] = period.echo
        spectra = rfft(self._signals * _HANN, FFT)
        power = self._power
        np.square(spectra.real, out=power[:2])
        power[:2] += np.square(spectra.imag)
        both = spectra[0] * spectra[1].conj()
        power[2], power[3] = both.real, both.imag
        return power @ _MEL_BY_BIN

    def _set_cues(self, levels_db: Floats, excess_db: Floats, bands: Floats) -> None:
        error_db, _, noise_db, spread_db, mic_db, uncertainty_db = levels_db
        self._coherence += _COHERENCE_SHARE * (bands - self._coherence)
        error, echo, real, imaginary = self._coherence
        cues = self.cues.reshape(CUES, BANDS)
        np.subtract(error_db, noise_db, out=cues[0])
        cues[1] = excess_db
        np.subtract(spread_db, noise_db, out=cues[2])
        np.subtract(error_db, mic_db, out=cues[3])
        np.subtract(error_db, uncertainty_db, out=cues[4])
        np.divide(real**2 + imaginary**2, error * echo + _NO_POWER, out=cues[5])

    def _learn_leak(self, excess_db: Floats, score: float, audible: NDArray[np.bool_]) -> None:
        if not audible.any():
            return
        up = _LEAK_UP_DB * _SUSPICIOUS_SLOWDOWN if score >= _SUSPICIOUS else _LEAK_UP_DB
        step = np.where(excess_db > 0, up, -_LEAK_DOWN_DB)
        self._leak_db += step * audible
        np.maximum(self._leak_db, _LEAK_LEAST_DB, out=self._leak_db)
        np.minimum(self._leak_db, _LEAK_MOST_DB, out=self._leak_db)

    def _learn_floor(self, error: Floats, echo_free: NDArray[np.bool_]) -> None:
        self._periods += 1
        if self._periods == 1:
            self._smoothed[:] = error
        self._smoothed += (1 - _SMOOTHING) * (error - self._smoothed)
        now_db = np.maximum(_db(self._smoothed), _FLOOR_LOWEST_DB)
        if self._periods <= _SETTLING_PERIODS:
            np.minimum(self._floor_db, now_db, out=self._floor_db)
            return
        up = echo_free * _FLOOR_UP_DB
        self._floor_db += np.where(now_db > self._floor_db, up, -_FLOOR_DOWN_DB)


def _mel_filters() -> Floats:
    """Return triangles on the mel scale (O'Shaughnessy 1987), 24 bands by 161 bins."""
    edges_mel = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2)
    edges_hz = 700.0 * (10 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = np.linspace(0.0, MIC_RATE_HZ / 2, BINS)
    low, mid, high = (edges_hz[i : i + BANDS, None] for i in range(3))
    rise, fall = (bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid)
    return np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)


def _mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


# `exp` and `log` are vectorised, powers and logarithms of 10 are not; a mean by hand, because
# `ndarray.mean` executes five times the instructions for a band


def _db(power: Floats) -> Floats:
    decibels: Floats = _DB_PER_LOG * np.log(power + _LEAST_POWER)
    return decibels


def _power(decibels: Floats) -> Floats:
    power: Floats = np.exp(_LOG_PER_DB * decibels)
    return power


def _mean(bands: Floats) -> np.float32:
    mean: np.float32 = np.add.reduce(bands) * np.float32(1 / BANDS)
    return mean


_DB_PER_LOG = np.float32(10 / np.log(10))
_LOG_PER_DB = np.float32(np.log(10) / 10)
_LEAST_POWER = np.float32(LEAST_POWER)
_NO_POWER = np.float32(1e-20)  # keeps the coherence finite
_MEL = _mel_filters()
_MEL_BY_BIN = np.ascontiguousarray(_MEL.T)
_MEL_OF_UNCERTAINTY = _UNCERTAINTY_WEIGHT * _HANN_SHARE * _MEL
_HANN = np.hanning(FFT + 1)[:FFT].astype(np.float32)
