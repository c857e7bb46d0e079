"""Linear filters that run period by period with the same result as for the whole signal."""

import math

import numpy as np
from numpy.typing import NDArray

from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS

Signal = NDArray[np.float64]
"""A simulated signal, full scale 1.0; double precision keeps long runs reproducible."""


class Convolver:
    """Streaming convolution with a fixed impulse response and without added latency.

    Uniformly partitioned overlap-save, one FFT of two blocks for each block
    (Wefers 2015, "Partitioned convolution algorithms for real-time auralization", ch. 5).
    """

    def __init__(self, impulse: Signal, block: int = MIC_PERIOD_FRAMES) -> None:
        partitions = max(1, math.ceil(len(impulse) / block))
        padded = np.zeros(partitions * block)
        padded[: len(impulse)] = impulse
        self._block = block
        self._filters = np.fft.rfft(padded.reshape(partitions, block), 2 * block)
        self._spectra = np.zeros_like(self._filters)  # newest at _newest, then older, circular
        self._newest = 0
        self._last = np.zeros(block)
        self._silent = partitions + 1  # blocks of zeros, up to the newest

    def process(self, signal: Signal) -> Signal:
        """Return the output block for the next input block, both `block` long."""
        partitions = len(self._filters)
        self._silent = 0 if signal.any() else self._silent + 1
        if self._silent > partitions + 1:  # all spectra are zero: talkers are mostly silent
            return np.zeros(self._block)
        self._newest = (self._newest - 1) % partitions
        self._spectra[self._newest] = np.fft.rfft(np.concatenate((self._last, signal)))
        self._last = signal
        wrap = partitions - self._newest
        total = np.einsum("pf,pf->f", self._filters[:wrap], self._spectra[self._newest :])
        total += np.einsum("pf,pf->f", self._filters[wrap:], self._spectra[: self._newest])
        return np.fft.irfft(total)[self._block :]


class PeriodResampler:
    """Band-limited resampling, one 10 ms period at a time, with a known short delay.

    Both rates have a whole number of frames in a period, so the filter's phases repeat every
    period and one table is sufficient. Windowed sinc, Kaiser window.
    """

    HALF_FRAMES = 64  # input frames on each side: from 48 kHz, flat to 6.6 kHz, 1.3 ms of delay

    def __init__(self, from_hz: int, to_hz: int) -> None:
        taken, given = from_hz * PERIOD_MS // 1000, to_hz * PERIOD_MS // 1000
        half = self.HALF_FRAMES
        self.delay_ms = half * 1000 / from_hz
        centres = np.arange(given) * taken / given
        self._taps = np.floor(centres).astype(np.int64)[:, None] + np.arange(2 * half)
        offsets = self._taps - half - centres[:, None] + 1
        cutoff = 0.95 * min(1.0, to_hz / from_hz)  # leaves room for the transition band
        window = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1 - (offsets / half) ** 2))) / np.i0(8.0)
        weights = np.sinc(cutoff * offsets) * window
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        self._history = np.zeros(2 * half - 1)

    def process(self, signal: Signal) -> Signal:
        """Return the period's frames at the new rate, delayed by `delay_ms`."""
        line = np.concatenate((self._history, signal))
        self._history = line[-len(self._history) :]
        return np.asarray(np.einsum("ft,ft->f", line[self._taps], self._weights))


class DelayLine:
    """Delays a signal by a number of frames that may change between blocks."""

    def __init__(self, longest_frames: int, block: int = MIC_PERIOD_FRAMES) -> None:
        self._line = np.zeros(longest_frames + block)
        self._block = block
        self.delay_frames = 0

    def process(self, signal: Signal) -> Signal:
        """Return the next block, delayed by `delay_frames`."""
        self._line = np.concatenate((self._line[self._block :], signal))
        end = len(self._line) - self.delay_frames
        return self._line[end - self._block : end]


class ClockDrift:
    """Plays a stream on a clock that is `ppm` faster than ours (negative: slower).

    Cubic (Catmull-Rom) interpolation between frames; three frames of delay.
    """

    def __init__(self, ppm: float, period_frames: int) -> None:
        self._ratio = 1.0 + ppm * 1e-6
        self._grid = self._ratio * np.arange(period_frames)
        self._advance = self._ratio * period_frames
        self._phase = 0.0
        self._history = np.zeros(4)  # a slow clock may need one frame more than it takes

    @property
    def wanted_frames(self) -> int:
        """The number of stream frames that the next period takes."""
        return math.floor(self._phase + self._advance)

    def process(self, signal: Signal) -> Signal:
        """Return one period on our clock for exactly `wanted_frames` frames on the other."""
        line = np.concatenate((self._history, signal))
        at = self._phase + self._grid
        whole = np.floor(at).astype(np.int64)
        t = at - whole
        a, b, c, d = (line[whole + k] for k in range(4))
        self._phase += self._advance - len(signal)
        self._history = line[-4:]
        cubic = (3.0 * (b - c) + d - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d)
        return np.asarray(b + 0.5 * t * (c - a + t * cubic))
