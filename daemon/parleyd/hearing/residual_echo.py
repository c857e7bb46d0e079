"""Score the level after the canceller that neither residual echo nor room noise explains.

A high score indicates a user. Each mel band has a predicted level without a user: a learned
share ("leak") of the estimated echo and its tail, the filter's own uncertainty, and the noise
floor. The score is the mean excess over that prediction.
"""

import numpy as np
from numpy.typing import NDArray

from parleyd.audio import LEAST_POWER, db_to_power, power_to_db
from parleyd.hearing.echo_canceller import BINS, FFT, HOP, CancelledBlock
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
_LEAK_UP_DB = 0.375
_LEAK_DOWN_DB = 0.06
_LEAK_LIMITS_DB = (-20.0, 6.0)
_SUSPICIOUS = 3.0  # a higher score is probably a user, whom the leak must not learn:
_SUSPICIOUS_SLOWDOWN = 0.1

# The floor follows a low quantile of the smoothed power: speech has gaps, noise has none.
_SMOOTHING = np.float32(0.8)
_FLOOR_UP_DB = 0.05  # 5 dB a second, so a sentence raises it only slightly
_FLOOR_DOWN_DB = 0.1
_FLOOR_BIAS_DB = 2.0  # from that quantile to the mean
_FLOOR_LOWEST_DB = -100.0
_SETTLING_PERIODS = 30  # at first, the floor is the minimum of 0.3 s

_COHERENCE_SHARE = np.float32(0.2)  # 50 ms, a syllable

_MARGIN_DB = 3.0
_ENOUGH_DB = 12.0  # one loud band is a click, not a voice


class ResidualEchoEstimator:
    """Echo-aware score of one stream of cancelled periods; bounded, deterministic."""

    def __init__(self) -> None:
        self._signals = np.zeros((2, FFT), np.float32)
        self._coherence = np.zeros((5, BANDS), np.float32)
        self._tail = np.zeros(BANDS, np.float32)
        self._leak_db = np.full(BANDS, -6.0, np.float32)
        self._smoothed = np.zeros(BANDS, np.float32)
        self._floor_db = np.full(BANDS, np.inf, np.float32)
        self._periods = 0
        self.cues = np.zeros(CUES * BANDS, np.float32)
        """The inputs of the last `excess_db`: five dB values, then coherence, for each band."""

    @property
    def noise_db(self) -> Floats:
        """The noise floor of each band in dB, relative to the other bands; a copy."""
        return self._floor_db + np.float32(_FLOOR_BIAS_DB)

    def excess_db(self, period: CancelledBlock) -> float:
        """Return the mean over bands of the excess above a margin of 3 dB, each at most 12 dB."""
        error, echo, mic, alike = self._bands(period)
        np.maximum(echo, self._tail * _TAIL, out=self._tail)
        uncertainty = _UNCERTAINTY_WEIGHT * _HANN_SHARE * (_MEL @ period.uncertainty)
        spread = np.maximum(self._tail, _SPREAD * self._tail.mean())
        noise = db_to_power(self.noise_db) if self._periods else error
        predicted = db_to_power(self._leak_db) * spread + uncertainty + noise
        all_db = _db(np.stack((error, predicted, noise, spread, mic, uncertainty)))
        error_db, predicted_db, noise_db, spread_db, mic_db, uncertainty_db = all_db
        excess_db = error_db - predicted_db
        self.cues = np.concatenate(
            (error_db - noise_db, excess_db, spread_db - noise_db,
             error_db - mic_db, error_db - uncertainty_db, alike)
        )  # fmt: skip
        score = float(np.minimum(np.maximum(excess_db - _MARGIN_DB, 0.0), _ENOUGH_DB).mean())
        self._learn_leak(excess_db, score, audible=spread > noise)
        self._learn_floor(error, echo_free=spread < noise)
        return score

    def _bands(self, period: CancelledBlock) -> tuple[Floats, Floats, Floats, Floats]:
        """Return each band's power of error, echo and microphone, and the coherence of the
        first two."""
        self._signals[:, :HOP] = self._signals[:, HOP:]
        self._signals[0, HOP:] = period.error
        self._signals[1, HOP:] = period.echo
        spectra = np.fft.rfft(self._signals * _HANN)
        power = np.empty((5, BINS), np.float32)
        power[:2] = spectra.real**2 + spectra.imag**2
        both = spectra[0] * spectra[1].conj()
        power[3], power[4] = both.real, both.imag
        power[2] = np.maximum(power[0] + power[1] + 2 * power[3], 0)  # |error + echo|²
        bands: Floats = power @ _MEL.T
        self._coherence += _COHERENCE_SHARE * (bands - self._coherence)
        error, echo, _, real, imaginary = self._coherence
        alike = (real**2 + imaginary**2) / (error * echo + np.float32(1e-20))
        return bands[0], bands[1], bands[2], alike

    def _learn_leak(self, excess_db: Floats, score: float, audible: NDArray[np.bool_]) -> None:
        up = _LEAK_UP_DB * (_SUSPICIOUS_SLOWDOWN if score >= _SUSPICIOUS else 1.0)
        step = np.where(excess_db > 0, np.float32(up), np.float32(-_LEAK_DOWN_DB))
        self._leak_db += np.where(audible, step, np.float32(0))
        np.maximum(
            np.minimum(self._leak_db, _LEAK_LIMITS_DB[1]), _LEAK_LIMITS_DB[0], out=self._leak_db
        )

    def _learn_floor(self, error: Floats, echo_free: NDArray[np.bool_]) -> None:
        self._periods += 1
        if self._periods == 1:
            self._smoothed[:] = error
        self._smoothed += (1 - _SMOOTHING) * (error - self._smoothed)
        now_db = np.maximum(_db(self._smoothed), _FLOOR_LOWEST_DB)
        if self._periods <= _SETTLING_PERIODS:
            np.minimum(self._floor_db, now_db, out=self._floor_db)
            return
        up = np.where(echo_free, np.float32(_FLOOR_UP_DB), np.float32(0))
        self._floor_db += np.where(now_db > self._floor_db, up, np.float32(-_FLOOR_DOWN_DB))


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


def _db(power: Floats) -> Floats:
    return power_to_db(power + np.float32(LEAST_POWER))


_MEL = _mel_filters()
_HANN = np.hanning(FFT + 1)[:FFT].astype(np.float32)
