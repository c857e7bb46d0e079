"""Decimation by a whole factor: the reference of a loudspeaker at 32 or 48 kHz.

soxr's variable-rate stream executes 220,000 instructions for each period, whichever its quality. A
whole factor needs only one filter, and a period is one product of matrices: a row holds the frames
for 16 results, a column the filter for one of them.
"""

import numpy as np

from parleyd.audio import round_to_int16
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, SILENCE, Floats, Frames

_REACH = 24  # results on each side of a frame, 1.5 ms: flat to 7.2 kHz, -60 dB from 8.4 kHz on
_PASS_HZ = 7800.0  # the middle of the transition
_BETA = 6.0  # of Kaiser's window, for -60 dB
_SHIFT = 1.63  # results, as soxr's stream at 48 kHz: echo paths that were saved before still fit
_BLOCK = 16  # results in a row; more results share more frames, but the matrix has more zeros
_ROWS = MIC_PERIOD_FRAMES // _BLOCK  # of a product


class Decimator:
    """One stream of frames at `factor` times 16 kHz, brought to 16 kHz.

    As with `StreamResampler`, the first 1.5 ms of the output come with a later chunk, and the sound
    is delayed by `_SHIFT` only. Chunks of any size give the same results, to a last bit: on some
    processors the order of a sum depends on its row.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._filters = _filters(factor)
        self._line: Floats = np.zeros(_REACH * factor, np.float32)  # frames that are still needed
        step, width = _BLOCK * factor, len(self._filters)
        self._used = np.zeros((_ROWS - 1) * step + width, np.float32)
        self._rows = np.lib.stride_tricks.sliding_window_view(self._used, width)[::step]

    def process(self, frames: Frames) -> Frames:
        """Return the frames that are ready after the given ones, perhaps none."""
        line = np.concatenate((self._line, frames), dtype=np.float32)
        ready = max(0, (len(line) - 1) // self._factor - 2 * _REACH + 1)
        results = [
            self._filtered(line[first * self._factor :], min(MIC_PERIOD_FRAMES, ready - first))
            for first in range(0, ready, MIC_PERIOD_FRAMES)
        ]
        self._line = line[ready * self._factor :]
        if len(results) == 1:  # nearly always
            return results[0]
        return np.concatenate(results) if results else SILENCE

    def _filtered(self, line: Floats, ready: int) -> Frames:
        """Return the first `ready` results, at most a period."""
        used = line[: len(self._used)]
        if used.dot(used) == 0.0:  # for most of a day; `any` takes twice as long
            return np.zeros(ready, np.int16)
        self._used[: len(used)] = used  # the rest belongs to results that are not ready
        return round_to_int16(np.dot(self._rows, self._filters).ravel()[:ready])


def _filters(factor: int) -> Floats:
    """Return the filter of each result of a block, in columns: a windowed sinc."""
    reach = _REACH * factor
    at = np.arange(-reach, reach + 1) + _SHIFT * factor
    window = np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (at / reach) ** 2)))
    taps = np.sinc(at * (2 * _PASS_HZ / (factor * MIC_RATE_HZ))) * window
    filters = np.zeros(((_BLOCK - 1) * factor + len(taps), _BLOCK), np.float32)
    for result in range(_BLOCK):
        filters[result * factor : result * factor + len(taps), result] = taps / taps.sum()
    return filters
