"""Compare two waveforms at any gain, by correlation and explained power."""

import numpy as np
from numpy.typing import NDArray

from parleyd.simulation.convolution import Signal

BLOCK_EXPLAINED = 0.985  # share of a block's power; a waveform explains 0.999 of itself
SAME = 0.0005  # the loss of a correlation by rounding
PROBE_ALIKE = 0.98  # correlation; neighbouring periods of a voice reach 0.9
QUIET = 16.0  # RMS in int16 steps, -66 dBFS; quieter waveforms are not comparable

Mask = NDArray[np.bool_]


class Region:
    """A part of the recording that is searched for probes by normalised correlation."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._fft_frames = 1 << max(1, len(signal)).bit_length()
        self._spectrum = np.fft.rfft(signal, self._fft_frames)
        self._energy = np.concatenate(([0.0], np.cumsum(signal**2)))

    def first_place_of(self, probe: Signal) -> int | None:
        """Return the first place that matches the probe at any gain, or None."""
        places = len(self._signal) - len(probe) + 1
        if places < 1:
            return None
        energy_there = self._energy[len(probe) :] - self._energy[:places]
        loud = energy_there > len(probe)  # 1 RMS; lower values are rounding errors
        if not loud.any():
            return None
        product = np.fft.irfft(
            self._spectrum * np.conj(np.fft.rfft(probe, self._fft_frames)), self._fft_frames
        )[:places]
        alike = np.zeros(places)
        alike[loud] = product[loud] / np.sqrt(energy_there[loud] * np.sum(probe**2))
        best = float(alike.max())
        if best < PROBE_ALIKE:
            return None
        first = int(np.flatnonzero(alike >= best - SAME)[0])  # if the same sound plays twice
        return first + int(np.argmax(alike[first : first + len(probe) // 20]))


def compare_blocks(item: Signal, recorded: Signal) -> tuple[Mask, Mask]:
    """Return for each block whether the item explains the recording, and whether both are silent.

    The gain is arbitrary and may change linearly within a block, as in a fade: least squares
    on the item's block and on the same block multiplied by a ramp.
    """
    slope = item * np.linspace(-1.0, 1.0, item.shape[1])
    power = np.sum(recorded**2, axis=1)
    aa, ab, bb = (np.sum(x * y, axis=1) for x, y in ((item, item), (item, slope), (slope, slope)))
    ra, rb = np.sum(recorded * item, axis=1), np.sum(recorded * slope, axis=1)
    determinant = np.maximum(aa * bb - ab**2, 1e-9)
    explained = (ra**2 * bb - 2 * ra * rb * ab + rb**2 * aa) / determinant
    quiet = item.shape[1] * QUIET**2
    sounds = (aa > quiet) & (power > item.shape[1])
    alike = sounds & (explained > BLOCK_EXPLAINED * power) & (ra > 0)
    return alike, (aa <= quiet) & (power <= 4 * quiet)
