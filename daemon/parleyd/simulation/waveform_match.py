"""Is this the same sound? Correlation and explained power, at any gain."""

import numpy as np
from numpy.typing import NDArray

from parleyd.simulation.convolution import Signal

BLOCK_EXPLAINED = 0.985  # of a block's power; a waveform explains 0.999 of itself
SAME = 0.0005  # what rounding takes from a correlation
PROBE_ALIKE = 0.98  # correlation; the neighbouring period of a voice reaches 0.9
QUIET = 16.0  # RMS in int16 steps, -66 dBFS: below it a waveform tells nothing

Mask = NDArray[np.bool_]


class Region:
    """A piece of the recording in which probes are looked for, by normalised correlation."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._fft_frames = 1 << max(1, len(signal)).bit_length()
        self._spectrum = np.fft.rfft(signal, self._fft_frames)
        self._energy = np.concatenate(([0.0], np.cumsum(signal**2)))

    def first_place_of(self, probe: Signal) -> int | None:
        """The first place that sounds like the probe, at any gain; None when there is none."""
        places = len(self._signal) - len(probe) + 1
        if places < 1:
            return None
        energy_there = self._energy[len(probe) :] - self._energy[:places]
        loud = energy_there > len(probe)  # 1 RMS: less is rounding
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
        first = int(np.flatnonzero(alike >= best - SAME)[0])  # of the same sound played twice
        return first + int(np.argmax(alike[first : first + len(probe) // 20]))


def compare_blocks(item: Signal, recorded: Signal) -> tuple[Mask, Mask]:
    """Block by block: does the item explain the recording; are both silent?

    At any gain, which may change linearly within a block as in a fade: least squares
    on the item's block and on the same block times a ramp.
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
