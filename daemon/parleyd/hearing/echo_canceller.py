"""The linear echo canceller: subtracts the loudspeaker's echo from the microphone's signal.

A partitioned-block frequency-domain Kalman filter. Its step size is the ratio of its
estimated error to the level of all other sounds, so it learns fast at first and stops while
the user talks. After G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for
acoustic echo control in hands-free telephones", Signal Processing 86 (2006), and F. Kuech,
E. Mabande and G. Enzner, "State-space architecture of the partitioned-block-based acoustic
echo controller", ICASSP 2014.
"""

from typing import NamedTuple

import numpy as np

from parleyd.audio import int16_to_float
from parleyd.hearing.fft import Spectra, irfft, rfft, squared
from parleyd.units import MIC_PERIOD_FRAMES, Floats, Frames

HOP = MIC_PERIOD_FRAMES
FFT = 2 * HOP  # overlap-save: half of each block is the last period
BINS = FFT // 2 + 1
PARTITIONS = 24  # 240 ms: 3 dB less echo than 160 ms in a room of RT60 0.6 s
HISTORY = (PARTITIONS + 1) * HOP

_FORGOTTEN = 0.999  # per hop, of the echo path's amplitude: 10 s leave 2 dB less echo than 5
_COLD_UNCERTAINTY = 0.1  # -10 dB of echo path in the first 10 ms ...
_COLD_DECAY = 6.0  # ... falling by 1/e every 60 ms, as in a small room
_WARM_UNCERTAINTY = 0.1  # relative to the weights' power: a restored filter is nearly correct
_NOISE_SHARE = np.array(0.2, np.float32)  # 50 ms: fast enough to stop learning within a syllable
_TENDED = 3  # partitions in each hop; with a block of the signal, four transforms in one call
_TINY = np.array(1e-10, np.float32)


class CancelledBlock(NamedTuple):
    """One period after cancellation; full scale is 1.0."""

    error: Floats
    """Microphone minus estimated echo, 160 frames."""

    echo: Floats
    """The estimated echo, 160 frames."""

    uncertainty: Floats
    """The filter's estimate of the remaining echo's power, for each of 161 FFT bins.

    In units of \\|FFT\\|² over 320 frames of signal, rectangular window.
    """

    still: bool = False
    """Whether there is nothing to cancel: echo and uncertainty are zero."""


class EchoCanceller:
    """Adaptive filter from loudspeaker to microphone, 16 kHz, 10 ms per call.

    The echo must arrive between 0 and 240 ms after its reference. Not thread-safe, does not
    block, about 0.1 ms per call. While the reference is silent, the filter is frozen, so it
    keeps its state during a pause.
    """

    def __init__(self) -> None:
        self._blocks = np.zeros((1 + _TENDED, FFT), np.float32)
        self._reference = self._blocks[0]  # the newest two periods
        self._wrapped = self._blocks[1:, HOP:]  # of the partitions tended in the hop before
        self._to_invert = np.empty((1 + _TENDED, BINS), np.complex64)
        self._spectra = np.zeros((2 * PARTITIONS, BINS), np.complex64)
        self._conjugates = np.zeros((2 * PARTITIONS, BINS), np.complex64)
        self._power = np.zeros((2 * PARTITIONS, BINS), np.float32)
        self._newest = 0  # the row of these three that holds the newest block
        self._error = np.zeros(FFT, np.float32)
        self._silent = PARTITIONS + 1  # periods of an all-zero reference
        # room for intermediate results: fresh memory costs as much as the arithmetic
        self._products = np.empty((PARTITIONS, BINS), np.complex64)
        self._expected = np.empty((PARTITIONS, BINS), np.float32)
        self.forget()

    def forget(self) -> None:
        """Discard the echo path, but keep the reference's history."""
        self._weights = np.zeros((PARTITIONS, BINS), np.complex64)
        decay = np.exp(-np.arange(PARTITIONS) / _COLD_DECAY)[:, None]
        self._covariance = np.broadcast_to(_COLD_UNCERTAINTY * decay, (PARTITIONS, BINS)).astype(
            np.float32
        )
        self._noise = np.zeros(BINS, np.float32)
        self._wrapped[:] = 0.0
        self._tended = slice(0, _TENDED)
        self._kept = [(self._weights.copy(), self._covariance.copy())] * 2

    def keep(self) -> None:
        """Keep the present echo path, and that of the call before this one."""
        self._kept = [self._kept[1], (self._weights.copy(), self._covariance.copy())]

    def recall(self) -> None:
        """Return to the echo path of the last call but one of `keep`."""
        weights, covariance = self._kept[0]
        self._weights, self._covariance = weights.copy(), covariance.copy()
        self._wrapped[:] = 0.0

    @property
    def weights(self) -> Floats:
        """The echo path as an impulse response: `PARTITIONS` * `HOP` taps at 16 kHz, a copy.

        A new value starts the filter with a nearly correct path that still adapts.
        """
        return irfft(self._weights)[:, :HOP].ravel()

    @weights.setter
    def weights(self, taps: Floats) -> None:
        padded = np.zeros((PARTITIONS, FFT), np.float32)
        padded[:, :HOP] = taps.reshape(PARTITIONS, HOP)
        self._weights = rfft(padded, FFT)
        self._covariance = np.float32(_WARM_UNCERTAINTY) * squared(self._weights)
        self._kept = [(self._weights.copy(), self._covariance.copy())] * 2
        self._wrapped[:] = 0.0

    def process(self, mic: Frames | Floats, reference: Frames | Floats) -> CancelledBlock:
        """Cancel one period; `mic` and `reference` are 160 frames each, on int16's scale."""
        near = int16_to_float(mic)
        self._remember(reference)
        if self._silent > PARTITIONS:
            self._wrapped.fill(0.0)
            return CancelledBlock(near, _NO_ECHO, _NO_POWER, still=True)
        rows = slice(self._newest, self._newest + PARTITIONS)
        np.multiply(self._spectra[rows], self._weights, out=self._products)
        np.dot(_SUM, self._products.view(np.float32), out=self._to_invert[0].view(np.float32))
        self._to_invert[1:] = self._weights[self._tended]
        blocks = irfft(self._to_invert)
        self._wrapped[:] = blocks[1:, HOP:]
        echo = blocks[0, HOP:]
        error = near - echo
        np.multiply(self._covariance, self._power[rows], out=self._expected)
        uncertainty = np.dot(_SUM, self._expected)
        self._learn(error, self._conjugates[rows], uncertainty)
        return CancelledBlock(error, echo, uncertainty)

    def replay(self, reference: Frames | Floats) -> None:
        """Replace the reference's history: `HISTORY` frames, newest last."""
        self._silent = 0
        history = int16_to_float(reference)
        for age in range(PARTITIONS):
            end = HISTORY - age * HOP
            self._store(rfft(history[end - FFT : end], FFT), age)
        self._reference[:] = history[-FFT:]

    def _remember(self, reference: Frames | Floats) -> None:
        far = int16_to_float(reference)
        self._silent = 0 if far.dot(far) > 0.0 else self._silent + 1
        if self._silent > PARTITIONS + 1:  # the history is all zeros
            return
        self._reference[:HOP] = self._reference[HOP:]
        self._reference[HOP:] = far
        self._newest = (self._newest - 1) % PARTITIONS
        spectra = rfft(self._blocks, FFT)
        self._store(spectra[0], 0)
        self._tend(spectra[1:])

    def _store(self, spectrum: Spectra, age: int) -> None:
        # stored twice, so newest to oldest is always one slice without a copy
        row = (self._newest + age) % PARTITIONS
        both = slice(row, row + PARTITIONS + 1, PARTITIONS)
        self._spectra[both] = spectrum
        self._conjugates[both] = np.conjugate(spectrum)
        self._power[both] = squared(spectrum)

    def _tend(self, wrapped: Spectra) -> None:
        """Remove the circular wrap of some partitions, which every hop adds to, and forget.

        Forgetting makes the echo path a little smaller, and as much more uncertain.
        """
        tended = self._tended
        weights = self._weights[tended]
        weights -= wrapped
        covariance = self._covariance[tended]
        covariance -= _LOSS * (covariance - squared(weights))
        weights *= _KEPT
        self._tended = slice(tended.stop % PARTITIONS, tended.stop % PARTITIONS + _TENDED)

    def _learn(self, error: Floats, conjugates: Spectra, uncertainty: Floats) -> None:
        self._error[HOP:] = error
        spectrum = rfft(self._error, FFT)
        self._noise += _NOISE_SHARE * (squared(spectrum) - self._noise)
        # half of the block is zeros, hence the factors two and one half (Kuech et al., eq. 17 ff.)
        total = uncertainty + self._noise + self._noise
        total += _TINY
        step = np.multiply(conjugates, spectrum / total, out=self._products)
        self._weights += np.multiply(self._covariance, step, out=step)
        learned = np.multiply(self._expected, _HALF / total, out=self._expected)
        self._covariance *= np.subtract(_ONE, learned, out=learned)


_NO_ECHO, _NO_POWER = np.zeros(HOP, np.float32), np.zeros(BINS, np.float32)
_NO_ECHO.flags.writeable = _NO_POWER.flags.writeable = False  # all silent periods share them
_SUM = np.ones(PARTITIONS, np.float32)
_HALF, _ONE = np.array(0.5, np.float32), np.array(1.0, np.float32)
_KEPT = np.array(_FORGOTTEN ** (PARTITIONS // _TENDED), np.float32)
_LOSS = 1 - _KEPT * _KEPT
