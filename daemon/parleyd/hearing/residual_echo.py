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
_HANN_SHARE = 0.375  # power of a Hann window relative to a rectangular one
_UNCERTAINTY_WEIGHT = np.float32(3.0 * _HANN_SHARE)

# Unequal steps give a quantile: 0.06 / (0.375 + 0.06) puts 86 % of echo-only periods below it.
_LEAK_UP_DB = np.full(BANDS, 0.375, np.float32)
_LEAK_DOWN_DB = np.full(BANDS, -0.06, np.float32)
_LEAK_LEAST_DB, _LEAK_MOST_DB = np.float32(-20.0), np.float32(6.0)
_SUSPICIOUS = 3.0  # a higher score is probably a user, whom the leak must not learn:
_SUSPICIOUS_UP_DB = np.full(BANDS, 0.0375, np.float32)

# The floor follows a low quantile of the smoothed power: speech has gaps, noise has none.
_SMOOTHING = np.float32(0.8)
_FLOOR_UP_DB = np.full(BANDS, 0.05, np.float32)  # 5 dB a second: a sentence hardly raises it
_FLOOR_DOWN_DB = np.full(BANDS, -0.1, np.float32)
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
        self._power = np.zeros((5, BINS), np.float32)
        self._coherence = np.zeros((4, BANDS), np.float32)
        self._tail = np.zeros(BANDS, np.float32)
        self._learned_db = np.empty((2, BANDS), np.float32)
        self._leak_db, self._floor_db = self._learned_db
        self._leak_db[:] = -6.0
        self._floor_db[:] = np.inf
        self._levels = np.zeros((7, BANDS), np.float32)  # of the newest period, as power
        self._smoothed = self._levels[6]  # the error's level
        self._levels_db = np.zeros((7, BANDS), np.float32)
        self._excess_db = np.zeros(BANDS, np.float32)
        self._periods = 0
        self._still = 0  # periods without an echo

    @property
    def noise_db(self) -> Floats:
        """The noise floor of each band in dB, relative to the other bands; a copy."""
        return self._floor_db + _FLOOR_BIAS_DB

    @property
    def cues(self) -> Floats:
        """The inputs of the last `excess_db`: five dB values, then coherence, for each band."""
        error_db, _, noise_db, spread_db, mic_db, uncertainty_db, _ = self._levels_db
        error, echo, real, imaginary = self._coherence
        cues = np.empty((CUES, BANDS), np.float32)
        np.subtract(error_db, noise_db, out=cues[0])
        cues[1] = self._excess_db
        np.subtract(spread_db, noise_db, out=cues[2])
        np.subtract(error_db, mic_db, out=cues[3])
        np.subtract(error_db, uncertainty_db, out=cues[4])
        np.divide(real * real + imaginary * imaginary, error * echo + _NO_POWER, out=cues[5])
        return cues.ravel()

    def excess_db(self, period: CancelledBlock) -> float:
        """Return the mean over bands of the excess above a margin of 3 dB, each at most 12 dB."""
        error, predicted, noise, spread, mic, uncertainty, smoothed = self._levels
        bands = self._bands(period)
        error[:] = bands[0]
        np.maximum(error + bands[1] + (bands[2] + bands[2]), _ZERO, out=mic)  # |error + echo|²
        np.multiply(bands[4], _UNCERTAINTY_WEIGHT, out=uncertainty)
        self._tail *= _TAIL
        np.maximum(bands[1], self._tail, out=self._tail)
        np.maximum(self._tail, _SPREAD * _mean(self._tail), out=spread)
        leak, noise[:] = np.exp(_LOG_PER_DB * (self._learned_db + _BIAS_DB))
        if self._periods == 0:
            noise[:] = smoothed[:] = error
        np.multiply(leak, spread, out=predicted)
        predicted += uncertainty
        predicted += noise
        smoothed += (1 - _SMOOTHING) * (error - smoothed)
        self._levels_db = levels_db = _DB_PER_LOG * np.log(self._levels + _LEAST_POWER)
        self._excess_db = excess_db = levels_db[0] - levels_db[1]
        score = float(_mean(np.minimum(np.maximum(excess_db - _MARGIN_DB, _ZERO), _ENOUGH_DB)))
        self._learn_leak(excess_db, score, audible=spread > noise)
        self._learn_floor(levels_db[6], echo_free=spread < noise)
        return score

    def _bands(self, period: CancelledBlock) -> Floats:
        """Return each band's power of error and echo, both parts of their cross power, and the
        uncertainty."""
        self._signals[:, :HOP] = self._signals[:, HOP:]
        self._signals[0, HOP:] = period.error
        self._signals[1, HOP:] = period.echo
        self._still = self._still + 1 if period.still else 0
        signals = (
            1 if self._still >= 2 else 2
        )  # without an echo, for most of a day, the error alone
        spectra = rfft(self._signals[:signals] * _HANN[:signals], FFT)
        power = self._power
        np.square(spectra.real, out=power[:signals])
        power[:signals] += np.square(spectra.imag)
        if signals == 1:
            power[1:] = 0.0
        else:
            cross = spectra[0] * spectra[1].conj()
            power[2], power[3], power[4] = cross.real, cross.imag, period.uncertainty
        bands: Floats = power.dot(_MEL)
        self._coherence += _COHERENCE_SHARE * (bands[:4] - self._coherence)
        return bands

    def _learn_leak(self, excess_db: Floats, score: float, audible: NDArray[np.bool_]) -> None:
        if not audible.any():
            return
        up = _SUSPICIOUS_UP_DB if score >= _SUSPICIOUS else _LEAK_UP_DB
        self._leak_db += np.where(excess_db > _ZERO, up, _LEAK_DOWN_DB) * audible
        np.maximum(self._leak_db, _LEAK_LEAST_DB, out=self._leak_db)
        np.minimum(self._leak_db, _LEAK_MOST_DB, out=self._leak_db)

    def _learn_floor(self, smoothed_db: Floats, echo_free: NDArray[np.bool_]) -> None:
        self._periods += 1
        now_db = np.maximum(smoothed_db, _FLOOR_LOWEST_DB)
        if self._periods <= _SETTLING_PERIODS:
            np.minimum(self._floor_db, now_db, out=self._floor_db)
            return
        up = _FLOOR_UP_DB * echo_free
        self._floor_db += np.where(now_db > self._floor_db, up, _FLOOR_DOWN_DB)


def _mel_filters() -> Floats:
    """Return triangles on the mel scale (O'Shaughnessy 1987), 161 bins by 24 bands."""
    edges_mel = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2)
    edges_hz = 700.0 * (10 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = np.linspace(0.0, MIC_RATE_HZ / 2, BINS)
    low, mid, high = (edges_hz[i : i + BANDS, None] for i in range(3))
    rise, fall = (bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid)
    triangles = np.maximum(np.minimum(rise, fall), 0.0).astype(np.float32)
    return np.ascontiguousarray(triangles.T)


def _mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def _mean(bands: Floats) -> np.float32:
    mean: np.float32 = np.add.reduce(bands) * _SHARE  # a third of `ndarray.mean`'s instructions
    return mean


_ZERO, _SHARE = np.float32(0.0), np.float32(1 / BANDS)
# `exp` and `log` are vectorised, powers and logarithms of 10 are not
_DB_PER_LOG = np.float32(10 / np.log(10))
_LOG_PER_DB = np.float32(np.log(10) / 10)
_LEAST_POWER = np.float32(LEAST_POWER)
_NO_POWER = np.float32(1e-20)  # keeps the coherence finite
_BIAS_DB = np.array([[0.0], [_FLOOR_BIAS_DB]], np.float32).repeat(BANDS, axis=1)
_MEL = _mel_filters()
_HANN = np.hanning(FFT + 1)[:FFT].astype(np.float32)[None].repeat(2, axis=0)
