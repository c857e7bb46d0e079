"""The periodicity of a signal, which distinguishes a voice from clatter within a few periods."""

import numpy as np

from parleyd.hearing.echo_canceller import HOP, CancelledBlock
from parleyd.hearing.fft import rfft, squared
from parleyd.units import MIC_RATE_HZ, Floats

CUES = 6
_WINDOW = 640  # 40 ms: two cycles of the lowest voice
_FFT = 1024  # window plus longest lag, without circular wrap
_LOWEST_HZ, _HIGHEST_HZ = 80, 420
_BAND_HZ = (90.0, 1500.0)  # harmonics of both small loudspeakers and distant voices
_QUIET = 1e-9


class Pitch:
    """Normalised autocorrelation (Boersma 1993) of the error and of the estimated echo."""

    def __init__(self) -> None:
        self._signals = np.zeros((2, _WINDOW), np.float32)
        self._halves = np.zeros((2, 2, _FFT // 2), np.float32)  # their even and odd frames
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
        alike = self._power().dot(_ALIKE)
        of_error, of_echo = alike[0, 1:], alike[1, 1:]
        error_at, echo_at = int(of_error.argmax()), int(of_echo.argmax())
        error, echo = alike.item(0, 0) + _QUIET, alike.item(1, 0) + _QUIET
        before, self._lag = self._lag, error_at + _SHORTEST
        steady = 1.0 - min(1.0, abs(self._lag - before) / (0.1 * self._lag))
        then = of_error.item(min(max(before - _SHORTEST, 0), len(of_error) - 1))
        now, at_echo = of_error.item(error_at), of_error.item(echo_at)
        echo_now = of_echo.item(echo_at)
        height = error_at / len(of_error)
        lower = min(now, then)
        return np.array(
            [now / error, echo_now / echo, at_echo / error, lower / error, steady, height],
            np.float32,
        )

    def _power(self) -> Floats:
        """Return the power of both signals in the bins of the band.

        From the transforms of even and odd frames: four short ones in a call, which take half the
        time of two long ones.
        """
        windowed = (self._signals * _BOTH_HANN).reshape(2, _WINDOW // 2, 2)
        self._halves[:, :, : _WINDOW // 2] = windowed.transpose(0, 2, 1)
        spectra = rfft(self._halves, _FFT // 2)[:, :, _BINS]
        spectra = spectra[:, 0] + spectra[:, 1] * _TURN
        return squared(spectra)


def _alike() -> Floats:
    """Return the matrix from the power in the band's bins to the energy and the autocorrelation.

    Bins by lags: the energy is that of lag 0, the others begin with the shortest. They are divided
    by the window's own autocorrelation. Few of both are needed, so one product is cheaper than the
    inverse FFT.
    """
    lags = np.array([0, *range(_SHORTEST, MIC_RATE_HZ // _LOWEST_HZ)])
    cosines = np.cos(2 * np.pi / _FFT * _IN_BAND[:, None] * lags) * (2 / _FFT)
    window = np.fft.irfft(np.abs(np.fft.rfft(_HANN, 2 * _WINDOW)) ** 2)
    return np.asarray(cosines * (window[0] / window[lags]), np.float32)


_HANN = np.hanning(_WINDOW).astype(np.float32)
_BOTH_HANN = np.tile(_HANN, (2, 1))  # of equal shapes, a product takes half of the time
_BINS = slice(*(round(hz * _FFT / MIC_RATE_HZ) for hz in _BAND_HZ))
_SHORTEST = MIC_RATE_HZ // _HIGHEST_HZ
_IN_BAND = np.arange(_FFT // 2)[_BINS]
_TURN = np.exp(-2j * np.pi / _FFT * _IN_BAND).astype(np.complex64)  # odd frames are one later
_ALIKE = _alike()
