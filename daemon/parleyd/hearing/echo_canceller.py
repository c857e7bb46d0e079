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
from numpy.typing import NDArray

from parleyd.audio import int16_to_float, shift_in
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


class EchoCanceller:
    """Adaptive filter from loudspeaker to microphone, 16 kHz, 10 ms per call.

    The echo must arrive between 0 and 240 ms after its reference. Not thread-safe, does not
    block, about 0.1 ms per call. While the reference is silent, the filter is frozen, so it
    keeps its state during a pause.
    """

    def __init__(self) -> None:
        self._history = np.zeros(HISTORY, np.float32)
        self._spectra = np.zeros((2 * PARTITIONS, BINS), np.complex64)
        self._newest = 0
        self._power = np.zeros((PARTITIONS, BINS), np.float32)
        self._block = np.zeros(FFT, np.float32)
        self._silent = PARTITIONS + 1  # periods of an all-zero reference
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
        return np.fft.irfft(self._weights, axis=1)[:, :HOP].astype(np.float32).ravel()

    @weights.setter
    def weights(self, taps: Floats) -> None:
        padded = np.zeros((PARTITIONS, FFT), np.float32)
        padded[:, :HOP] = taps.reshape(PARTITIONS, HOP)
        self._weights = np.fft.rfft(padded, axis=1).astype(np.complex64)
        self._covariance = np.float32(_WARM_UNCERTAINTY) * _squared(self._weights)

    def process(self, mic: Frames, reference: Frames | Floats) -> CancelledBlock:
        """Cancel one period; `mic` and `reference` are 160 frames each, on int16's scale."""
        near = int16_to_float(mic)
        self._remember(reference)
        if self._silent > PARTITIONS:
            return CancelledBlock(near, np.zeros(HOP, np.float32), np.zeros(BINS, np.float32))
        far = self._spectra[self._newest : self._newest + PARTITIONS]
        echo = np.fft.irfft(np.einsum("pb,pb->b", far, self._weights))[HOP:].astype(np.float32)
        error = near - echo
        uncertainty = np.einsum("pb,pb->b", self._covariance, self._power)
        self._learn(error, far, uncertainty)
        return CancelledBlock(error, echo, uncertainty)

    def replay(self, reference: Frames | Floats) -> None:
        """Replace the reference's history: `HISTORY` frames, newest last."""
        self._silent = 0
        self._history[:] = int16_to_float(reference)
        for age in range(PARTITIONS):
            end = len(self._history) - age * HOP
            self._store(self._history[end - FFT : end], age)

    def _remember(self, reference: Frames | Floats) -> None:
        self._silent = 0 if reference.any() else self._silent + 1
        if self._silent > PARTITIONS + 1:  # the history is all zeros
            return
        shift_in(self._history, int16_to_float(reference))
        self._newest = (self._newest - 1) % PARTITIONS
        self._power[1:] = self._power[:-1]
        self._store(self._history[-FFT:], 0)

    def _store(self, block: Floats, age: int) -> None:
        # stored twice, so newest to oldest is always one slice without a copy
        row = (self._newest + age) % PARTITIONS
        spectrum = np.fft.rfft(block)
        self._spectra[row] = self._spectra[row + PARTITIONS] = spectrum
        self._power[age] = _squared(self._spectra[row])

    def _learn(self, error: Floats, far: NDArray[np.complex64], uncertainty: Floats) -> None:
        self._block[HOP:] = error
        spectrum = np.fft.rfft(self._block).astype(np.complex64)
        self._noise += (1 - _NOISE_SMOOTHING) * (_squared(spectrum) - self._noise)
        # half of the block is zeros, hence the factors two and one half (Kuech et al., eq. 17 ff.)
        share = self._covariance / (uncertainty + 2 * self._noise + _TINY)
        self._weights += share * (far.conj() * spectrum)
        self._constrain()
        self._covariance *= 1 - np.float32(0.5) * share * self._power
        # the transition to the next period: a small loss, and the same amount of uncertainty
        forgotten = _TRANSITION * _TRANSITION
        self._covariance *= forgotten
        self._covariance += (1 - forgotten) * _squared(self._weights)
        self._weights *= _TRANSITION

    def _constrain(self) -> None:
        start = self._constrained
        part = slice(start, start + _CONSTRAINED_PER_HOP)
        taps = np.fft.irfft(self._weights[part], axis=1)
        taps[:, HOP:] = 0.0
        self._weights[part] = np.fft.rfft(taps, axis=1)
        self._constrained = (start + _CONSTRAINED_PER_HOP) % PARTITIONS


def _squared(spectra: NDArray[np.complex64]) -> Floats:
    power: Floats = spectra.real**2 + spectra.imag**2
    return power
