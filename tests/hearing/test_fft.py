"""The transforms without `numpy.fft`'s bookkeeping."""

import numpy as np
import pytest

from parleyd.hearing import fft


@pytest.fixture(params=["inner functions", "numpy.fft"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: a numpy without the inner functions must give the same results."""
    if request.param == "numpy.fft":
        monkeypatch.setattr(fft, "_forward", None)
        monkeypatch.setattr(fft, "_inverse", None)


@pytest.mark.parametrize(("frames", "given"), [(320, 320), (1024, 640), (8192, 2048)])
@pytest.mark.usefixtures("either")
def test_rfft_is_that_of_numpy(frames: int, given: int) -> None:
    blocks = np.random.default_rng(1).standard_normal((2, given)).astype(np.float32)
    spectra = fft.rfft(blocks, frames)
    assert spectra.dtype == np.complex64
    assert spectra.shape == (2, frames // 2 + 1)
    np.testing.assert_allclose(spectra, np.fft.rfft(blocks, frames), atol=1e-4)


@pytest.mark.usefixtures("either")
def test_irfft_of_rfft_is_the_block() -> None:
    block = np.random.default_rng(1).standard_normal(320).astype(np.float32)
    again = fft.irfft(fft.rfft(block, 320))
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, block, atol=1e-5)


def test_installed_numpy_has_the_inner_functions() -> None:
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("numpy 1 transforms in float64")
    assert fft._forward is not None
