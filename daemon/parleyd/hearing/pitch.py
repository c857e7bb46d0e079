"""The periodicity of a signal, which distinguishes a voice from clatter within a few periods."""

import numpy as np

from parleyd.hearing.echo_canceller import HOP, CancelledBlock
from parleyd.hearing.fft import rfft
from parleyd.units import MIC_RATE_HZ, Floats

CUES = 6
_WINDOW = 640  # 40 ms: two cycles of the lowest voice
_FFT = 1024  # window plus longest lag, without circular wrap
_LOWEST_HZ, _HIGHEST_HZ = 80, 420
_BAND_HZ = (90.0, 1500.0)  # harmonics of both small loudspeakers and distant voices
_QUIET = np.float32(1e-9)


class Pitch:
    """Normalised autocorrelation (Boersma 1993) of the error and of the estimated echo."""

    def __init__(self) -> None:
        self._signals = np.zeros((2, _WINDOW), np.float32)
        self._lag = 0

    def cues(self, period: CancelledBlock) -> Floats:
        """Return six numbers, -1..1 or 0..1.

        Periodicity of the error and of the echo, periodicity of the error at the echo's
        pitch, the lower of the error's last two periodicities, the steadiness of its pitch,
        and its pitch.
        """
        self._signals[:, :-HOP] = self._signals[:, HOP:]
        self._signals[0, -HOP:] = period.error
        self._signals[1, -HOP:] = period.echo
        spectra = rfft(self._signals * _HANN, _FFT)[:, _BINS]
        power = np.square(spectra.real)
        power += np.square(spectra.imag)
        energy, alike = power @ _ENERGY, power @ _ALIKE
        lags = alike / (energy[:, None] * _WINDOW_ALIKE + _QUIET)
        error_at, echo_at = int(lags[0].argmax()), int(lags[1].argmax())
        before, self._lag = self._lag, error_at + _SHORTEST
        steady = 1.0 - min(1.0, abs(self._lag - before) / (0.1 * self._lag))
        now = lags[0, error_at]
        then = lags[0, min(max(before - _SHORTEST, 0), lags.shape[1] - 1)]
        height = (self._lag - _SHORTEST) / lags.shape[1]
        return np.array(
            [now, lags[1, echo_at], lags[0, echo_at], min(now, then), steady, height], np.float32
        )


def _window_alike() -> Floats:
    """Return the window's autocorrelation, the divisor for that of a windowed signal."""
    power = np.abs(np.fft.rfft(_HANN, 2 * _WINDOW)) ** 2
    alike = np.fft.irfft(power)[: MIC_RATE_HZ // _LOWEST_HZ]
    return np.asarray(alike / alike[0], np.float32)[_SHORTEST:]


def _cosines() -> Floats:
    """Return the inverse FFT from the power of the band's bins to the autocorrelation.

    As a matrix, bins by lags: few of both are needed, so one product is cheaper than the FFT.
    """
    bins, lags = np.arange(_FFT // 2)[_BINS], np.arange(MIC_RATE_HZ // _LOWEST_HZ)
    cosines = np.cos(2 * np.pi / _FFT * bins[:, None] * lags) * (2 / _FFT)
    return np.asarray(cosines, np.float32)


_HANN = np.hanning(_WINDOW).astype(np.float32)
_BINS = slice(*(round(hz * _FFT / MIC_RATE_HZ) for hz in _BAND_HZ))
_SHORTEST = MIC_RATE_HZ // _HIGHEST_HZ
_WINDOW_ALIKE = _window_alike()  # from the shortest lag on
_ENERGY = np.ascontiguousarray(_cosines()[:, 0])
_ALIKE = np.ascontiguousarray(_cosines()[:, _SHORTEST:])
