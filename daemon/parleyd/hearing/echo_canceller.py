"""The linear echo canceller: subtracts the loudspeaker's echo from the microphone's signal.

A partitioned-block frequency-domain Kalman filter. Its step size is the ratio of its
estimated error to the level of all other sounds, so it learns fast at first and stops while
the user talks. After G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for
acoustic echo control in hands-free telephones", Signal Processing 86 (2006), and F. Kuech,
E. Mabande and G. Enzner, "State-space architecture of the partitioned-block-based acoustic
echo controller", ICASSP 2014.
"""

from dataclasses import dataclass

import numpy as np

from parleyd.audio import int16_to_float
from parleyd.hearing.fft import Spectra, irfft, rfft
from parleyd.units import MIC_PERIOD_FRAMES, Floats, Frames

HOP = MIC_PERIOD_FRAMES
FFT = 2 * HOP  # overlap-save: half of each block is the last period
BINS = FFT // 2 + 1
PARTITIONS = 24  # 240 ms: 3 dB less echo than 160 ms in a room of RT60 0.6 s
HISTORY = (PARTITIONS + 1) * HOP

_TRANSITION = np.float32(0.999)  # the echo path's memory, 10 s: 2 dB less echo than with 5
_COLD_UNCERTAINTY = 0.1  # -10 dB of echo path in the first 10 ms ...
_COLD_DECAY = 6.0  # ... falling by 1/e every 60 ms, as in a small room
_WARM_UNCERTAINTY = 0.1  # relative to the weights' power: a restored filter is nearly correct
_NOISE_SMOOTHING = np.float32(0.8)  # 50 ms: fast enough to stop learning within a syllable
_CONSTRAINED_PER_HOP = 4  # partitions whose circular wrap is removed in each hop
_TINY = np.float32(1e-10)


@dataclass(frozen=True, slots=True)
class CancelledBlock:
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
        self._reference = np.zeros(FFT, np.float32)  # the newest two periods
        self._spectra = np.zeros((2 * PARTITIONS, BINS), np.complex64)
        self._power = np.zeros((2 * PARTITIONS, BINS), np.float32)
        self._newest = 0  # the row of both that holds the newest block
        self._block = np.zeros(FFT, np.float32)
        self._silent = PARTITIONS + 1  # periods of an all-zero reference
        # room for intermediate results: fresh memory costs as much as the arithmetic
        self._products = np.empty((PARTITIONS, BINS), np.complex64)
        self._shares = np.empty((PARTITIONS, BINS), np.float32)
        self._squares = np.empty((PARTITIONS, BINS), np.float32)
        self.forget()

    def forget(self) -> None:
        """Discard the echo path, but keep the reference's history."""
        self._weights = np.zeros((PARTITIONS, BINS), np.complex64)
        decay = np.exp(-np.arange(PARTITIONS) / _COLD_DECAY)[:, None]
        self._covariance = np.broadcast_to(_COLD_UNCERTAINTY * decay, (PARTITIONS, BINS)).astype(
            np.float32
        )
        self._noise = np.zeros(BINS, np.float32)
        self._constrained = 0

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
        self._covariance = np.float32(_WARM_UNCERTAINTY) * _squared(self._weights)

    def process(self, mic: Frames, reference: Frames | Floats) -> CancelledBlock:
        """Cancel one period; `mic` and `reference` are 160 frames each, on int16's scale."""
        near = int16_to_float(mic)
        self._remember(reference)
        if self._silent > PARTITIONS:
            return CancelledBlock(near, *_nothing(), still=True)
        rows = slice(self._newest, self._newest + PARTITIONS)
        far, power = self._spectra[rows], self._power[rows]
        np.multiply(far, self._weights, out=self._products)
        echo = irfft(np.add.reduce(self._products, axis=0))[HOP:]
        error = near - echo
        uncertainty = np.einsum("pb,pb->b", self._covariance, power)
        self._learn(error, far, power, uncertainty)
        return CancelledBlock(error, echo, uncertainty)

    def replay(self, reference: Frames | Floats) -> None:
        """Replace the reference's history: `HISTORY` frames, newest last."""
        self._silent = 0
        history = int16_to_float(reference)
        for age in range(PARTITIONS):
            end = HISTORY - age * HOP
            self._store(history[end - FFT : end], age)
        self._reference[:] = history[-FFT:]

    def _remember(self, reference: Frames | Floats) -> None:
        self._silent = 0 if reference.any() else self._silent + 1
        if self._silent > PARTITIONS + 1:  # the history is all zeros
            return
        self._reference[:HOP] = self._reference[HOP:]
        self._reference[HOP:] = int16_to_float(reference)
        self._newest = (self._newest - 1) % PARTITIONS
        self._store(self._reference, 0)

    def _store(self, block: Floats, age: int) -> None:
        # stored twice, so newest to oldest is always one slice without a copy
        row = (self._newest + age) % PARTITIONS
        spectrum = rfft(block, FFT)
        self._spectra[row] = self._spectra[row + PARTITIONS] = spectrum
        self._power[row] = self._power[row + PARTITIONS] = _squared(spectrum)

    def _learn(self, error: Floats, far: Spectra, power: Floats, uncertainty: Floats) -> None:
        self._block[HOP:] = error
        spectrum = rfft(self._block, FFT)
        self._noise += (1 - _NOISE_SMOOTHING) * (_squared(spectrum) - self._noise)
        # half of the block is zeros, hence the factors two and one half (Kuech et al., eq. 17 ff.)
        share, step = self._shares, self._products
        np.divide(self._covariance, uncertainty + 2 * self._noise + _TINY, out=share)
        np.multiply(np.conjugate(far, out=step), spectrum, out=step)
        self._weights += np.multiply(share, step, out=step)
        self._constrain()
        # the transition to the next period: a small loss, and the same amount of uncertainty
        forgotten = _TRANSITION * _TRANSITION
        known = np.multiply(share, power, out=share)
        known *= np.float32(-0.5) * forgotten
        known += forgotten
        self._covariance *= known
        squares = self._squares
        np.square(self._weights.real, out=squares)
        squares += np.square(self._weights.imag, out=share)
        squares *= 1 - forgotten
        self._covariance += squares
        parts = self._weights.view(np.float32)  # real and imaginary: cheaper to scale than complex
        parts *= _TRANSITION

    def _constrain(self) -> None:
        start = self._constrained
        part = slice(start, start + _CONSTRAINED_PER_HOP)
        taps = irfft(self._weights[part])
        taps[:, HOP:] = 0.0
        self._weights[part] = rfft(taps, FFT)
        self._constrained = (start + _CONSTRAINED_PER_HOP) % PARTITIONS


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros(HOP, np.float32), np.zeros(BINS, np.float32)


def _squared(spectra: Spectra) -> Floats:
    power: Floats = spectra.real**2 + spectra.imag**2
    return power
