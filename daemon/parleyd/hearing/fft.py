"""Real FFTs of short blocks in float32, without the bookkeeping of `numpy.fft`.

For a block of 320 frames, `numpy.fft.rfft` executes 64,000 instructions: 35,000 of them in Python,
and the transform itself in float64 (`python -m tests.bench.instructions`). The functions that do
its work take half of that, but they are not public: where a numpy lacks them, or they give another
result, `numpy.fft` is used.
"""

import numpy as np
from numpy.typing import NDArray

from parleyd.units import Floats

Spectra = NDArray[np.complex64]


def rfft(blocks: Floats, frames: int) -> Spectra:
    """Return the spectra of real blocks along the last axis, `frames` // 2 + 1 bins each.

    `frames`: the even length of the transform; shorter blocks are extended with zeros.
    """
    if _forward is None:
        return np.fft.rfft(blocks, frames).astype(np.complex64)
    spectra = np.empty((*blocks.shape[:-1], frames // 2 + 1), np.complex64)
    _forward(blocks, _ONE, spectra)
    return spectra


def irfft(spectra: Spectra) -> Floats:
    """Return the real blocks of these spectra, an even number of frames each."""
    frames = 2 * (spectra.shape[-1] - 1)
    if _inverse is None:
        return np.fft.irfft(spectra, frames).astype(np.float32)
    blocks = np.empty((*spectra.shape[:-1], frames), np.float32)
    _inverse(spectra, np.float32(1 / frames), blocks)
    return blocks


def squared(spectra: Spectra) -> Floats:
    """Return the power of each bin; `abs` is vectorised, parts with gaps between them are not."""
    power: Floats = np.abs(spectra)
    power *= power
    return power


def _inner_functions() -> tuple[np.ufunc, np.ufunc] | tuple[None, None]:
    """Return numpy's functions behind `rfft` and `irfft`, or None if they are not as expected."""
    block = np.cos(np.arange(6, dtype=np.float32) ** 2)
    spectrum, again = np.empty(5, np.complex64), np.empty(8, np.float32)
    try:
        from numpy.fft import _pocketfft_umath as inner  # type: ignore[attr-defined]

        inner.rfft_n_even(block, _ONE, spectrum)
        inner.irfft(spectrum, np.float32(1 / 8), again)
    except (ImportError, AttributeError, TypeError, ValueError):
        return None, None
    forward = np.allclose(spectrum, np.fft.rfft(block, 8), atol=1e-5)
    inverse = np.allclose(again, np.fft.irfft(spectrum, 8), atol=1e-5)
    return (inner.rfft_n_even, inner.irfft) if forward and inverse else (None, None)


_ONE = np.array(1.0, np.float32)  # the factor of the transform
_forward, _inverse = _inner_functions()
