"""Score the level after the canceller that neither residual echo nor room noise explains.

A high score indicates a user. Each mel band has a predicted level without a user: a learned
share ("leak") of the estimated echo and its tail, the filter's own uncertainty, and the noise
floor. The score is the mean excess over that prediction.
"""

import numpy as np

from parleyd.audio import LEAST_POWER, db_to_power
from parleyd.hearing.echo_canceller import BINS, FFT, HOP, CancelledBlock
from parleyd.hearing.fft import rfft, squared
from parleyd.units import MIC_RATE_HZ, Floats

BANDS = 24
CUES = 6
_LOWEST_HZ = 100.0  # hum and handling noise are lower
_HIGHEST_HZ = 7600.0  # converters roll off above

_TAIL_DB = -0.6  # per period: the decay of a room with an RT60 of 1 s
_SPREAD_DB = -15.0  # distortion: each band expects at least the mean echo - 15 dB
_HANN_SHARE = 0.375  # power of a Hann window relative to a rectangular one
_UNCERTAINTY_WEIGHT = 3.0 * _HANN_SHARE

# Unequal steps give a quantile: 0.06 / (0.375 + 0.06) puts 86 % of echo-only periods below it.
_LEAK_UP_DB, _LEAK_DOWN_DB = 0.375, -0.06
_LEAK_FIRST_DB, _LEAK_LEAST_DB, _LEAK_MOST_DB = -6.0, -20.0, 6.0
_SUSPICIOUS = 3.0  # a higher score is probably a user, whom the leak must not learn:
_SUSPICIOUS_UP_DB = 0.0375

# The floor follows a low quantile of the smoothed power: speech has gaps, noise has none.
_FLOOR_UP_DB, _FLOOR_DOWN_DB = 0.05, -0.1  # 5 dB a second: a sentence hardly raises it
_FLOOR_BIAS_DB = 2.0  # from that quantile to the mean
_FLOOR_LEAST_DB = -100.0
_SETTLING_PERIODS = 30  # at first, the floor is the minimum of 0.3 s

_SHARE = np.array(0.2, np.float32)  # of the newest period in the smoothed power: 50 ms, a syllable

_MARGIN_DB = 3.0
_MOST_DB = 12.0  # one loud band is a click, not a voice


class ResidualEchoEstimator:
    """Echo-aware score of one stream of cancelled periods; bounded, deterministic.

    Levels are powers, only results are in dB. A numpy call on a row of 24 bands takes thousands of
    instructions, whatever it computes. So rows share an array, and an array one call.
    """

    def __init__(self) -> None:
        self._signals = np.zeros((2, FFT), np.float32)  # error and echo
        self._power = np.zeros((5, BINS), np.float32)
        self._smoothed = np.zeros((4, BANDS), np.float32)  # the first rows of `_bands`
        self._tail = np.zeros(BANDS, np.float32)
        self._levels = np.zeros((6, BANDS), np.float32)  # of the newest period
        self._error, _, self._uncertainty = self._levels[:3]
        self._spread, self._predicted, self._noise = self._levels[3:]
        self._learned = np.empty((2, BANDS), np.float32)
        self._leak, self._floor = self._learned
        self._leak[:] = db_to_power(_LEAK_FIRST_DB)
        self._floor[:] = np.inf
        self._exceeded = np.zeros((2, BANDS), np.bool_)  # prediction and floor
        self._audible = np.zeros(BANDS, np.bool_)  # the echo over the noise
        self._cues = np.zeros((CUES, BANDS), np.float32)
        self._periods = 0
        self._still = 0  # periods without an echo

    @property
    def cues(self) -> Floats:
        """The inputs of the last `excess_db`: five dB values, then coherence, for each band.

        A view, valid until the next `excess_db`.
        """
        cross = np.square(self._smoothed[2:])
        powers = self._smoothed[0] * self._smoothed[1]
        np.divide(cross[0] + cross[1], powers + _NO_POWER, out=self._cues[5])
        return self._cues.ravel()

    def excess_db(self, period: CancelledBlock) -> float:
        """Return the mean over bands of the excess above a margin of 3 dB, each at most 12 dB."""
        self._expect(self._bands(period))
        np.dot(_COMPARED_DB, np.log(np.maximum(self._levels, _LEAST_POWER)), out=self._cues[:5])
        excess_db = self._cues[1].clip(_LEAST_EXCESS_DB, _MOST_EXCESS_DB)
        score = float(excess_db.dot(_MEAN)) - _MARGIN_DB
        self._learn(_STEPS if score < _SUSPICIOUS else _SUSPICIOUS_STEPS)
        self._periods += 1
        return score

    def _bands(self, period: CancelledBlock) -> Floats:
        """Return the power of error and echo in each band, both parts of their cross power, and the
        uncertainty."""
        signals, power = self._signals, self._power
        signals[:, :HOP] = signals[:, HOP:]
        signals[0, HOP:] = period.error
        signals[1, HOP:] = period.echo
        self._still = self._still + 1 if period.still else 0
        if self._still >= 2:  # without an echo, for most of a day
            power.fill(0.0)
            power[0] = squared(rfft(signals[0] * _HANN, FFT))
        else:
            spectra = rfft(signals * _BOTH_HANN, FFT)
            cross = spectra[0] * spectra[1].conj()
            power[:2] = squared(spectra)
            power[2], power[3], power[4] = cross.real, cross.imag, period.uncertainty
        bands: Floats = power.dot(_MEL)
        if self._periods == 0:
            self._smoothed[:] = bands[:4]
        self._smoothed += _SHARE * (bands[:4] - self._smoothed)
        return bands

    def _expect(self, bands: Floats) -> None:
        """Fill `_levels`: error, microphone, uncertainty, the echo with its tail, what is predicted
        without a user, and noise."""
        np.dot(_HEARD, bands, out=self._levels[:3])
        self._tail *= _TAIL
        np.maximum(bands[1], self._tail, out=self._tail)
        np.maximum(self._tail, self._tail.dot(_SPREAD_MEAN), out=self._spread)
        np.multiply(self._floor, _FLOOR_BIAS, out=self._noise)
        if self._periods == 0:
            self._noise[:] = self._error
        np.multiply(self._leak, self._spread, out=self._predicted)
        self._predicted += self._uncertainty
        self._predicted += self._noise

    def _learn(self, steps: Floats) -> None:
        least = None
        if self._periods < _SETTLING_PERIODS:
            least = np.minimum(self._floor, self._smoothed[0])
        np.greater(self._error, self._predicted, out=self._exceeded[0])
        np.greater(self._smoothed[0], self._floor, out=self._exceeded[1])
        np.greater(self._spread, self._noise, out=self._audible)
        exceeded, audible = self._exceeded.view(np.int8), self._audible.view(np.int8)
        self._learned *= steps.take(exceeded + exceeded + audible + _ROWS)
        if least is not None:
            self._floor[:] = least
        np.maximum(self._learned, _LEAST_LEARNED, out=self._learned)
        np.minimum(self._learned, _MOST_LEARNED, out=self._learned)


def _steps(leak_up_db: float) -> Floats:
    """Return the factors of leak and floor: not audible, audible, then the same if exceeded.

    The leak is learned only where the echo exceeds the noise, a higher floor only elsewhere.
    """
    leak_db = (0.0, _LEAK_DOWN_DB, 0.0, leak_up_db)
    floor_db = (_FLOOR_DOWN_DB, _FLOOR_DOWN_DB, _FLOOR_UP_DB, 0.0)
    return _powers(*leak_db, *floor_db)


def _powers(*levels_db: float) -> Floats:
    return db_to_power(np.array(levels_db)).astype(np.float32)


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


_MEL = _mel_filters()
_HANN = np.hanning(FFT + 1)[:FFT].astype(np.float32)
_BOTH_HANN = np.tile(_HANN, (2, 1))  # of equal shapes, a product takes half of the time
_HEARD = np.array(  # error, microphone and uncertainty from `_bands`
    [[1, 0, 0, 0, 0], [1, 1, 2, 0, 0], [0, 0, 0, 0, _UNCERTAINTY_WEIGHT]], np.float32
)
_COMPARED_DB = np.array(  # the first cues from the logarithms of `_levels`
    [
        [1, 0, 0, 0, 0, -1],  # error over noise
        [1, 0, 0, 0, -1, 0],  # error over prediction: the excess
        [0, 0, 0, 1, 0, -1],  # echo over noise
        [1, -1, 0, 0, 0, 0],  # error over microphone
        [1, 0, -1, 0, 0, 0],  # error over uncertainty
    ],
    np.float32,
) * np.float32(10 / np.log(10))
_STEPS, _SUSPICIOUS_STEPS = _steps(_LEAK_UP_DB), _steps(_SUSPICIOUS_UP_DB)
_ROWS = np.array([[0], [4]], np.int8).repeat(BANDS, axis=1)  # leak and floor in the steps
_LEAST_LEARNED = _powers(_LEAK_LEAST_DB, _FLOOR_LEAST_DB)[:, None].repeat(BANDS, axis=1)
_MOST_LEARNED = _powers(_LEAK_MOST_DB, np.inf)[:, None].repeat(BANDS, axis=1)
_TAIL, _FLOOR_BIAS = (np.array(power, np.float32) for power in _powers(_TAIL_DB, _FLOOR_BIAS_DB))
_MEAN = np.full(BANDS, 1 / BANDS, np.float32)
_SPREAD_MEAN = _MEAN * _powers(_SPREAD_DB)
_LEAST_EXCESS_DB = np.array(_MARGIN_DB, np.float32)
_MOST_EXCESS_DB = np.array(_MARGIN_DB + _MOST_DB, np.float32)
_LEAST_POWER = np.array(LEAST_POWER, np.float32)
_NO_POWER = np.array(1e-20, np.float32)  # keeps the coherence finite
