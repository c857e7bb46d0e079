"""The decimation of the reference."""

import numpy as np
import pytest

from parleyd.audio import StreamResampler
from parleyd.hearing.decimator import Decimator
from parleyd.units import Floats, Frames


def tone(hz: float, rate_hz: int) -> Frames:
    time_s = np.arange(rate_hz) / rate_hz
    return np.rint(10_000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


def level_db(frames: Frames | Floats) -> float:
    """Return the level relative to the tone, without begin and end."""
    return float(20 * np.log10(frames[500:-500].std() / (10_000 / np.sqrt(2)) + 1e-6))


@pytest.mark.parametrize("factor", [2, 3])
def test_decimator_passes_7_khz_and_stops_8_4_khz(factor: int) -> None:
    for hz in (100, 1000, 4000, 7000):
        assert level_db(Decimator(factor).process(tone(hz, factor * 16_000))) > -0.5
    for hz in (8500, 12_000):
        assert level_db(Decimator(factor).process(tone(hz, factor * 16_000))) < -55


@pytest.mark.parametrize("factor", [2, 3])
def test_decimator_of_any_chunks_is_the_same(factor: int) -> None:
    random = np.random.default_rng(1)
    stream = random.integers(-9000, 9000, factor * 16_000).astype(np.int16)
    whole, cut = Decimator(factor), Decimator(factor)
    ends = np.cumsum(random.integers(0, 1500, 100))
    pieces = np.split(stream, ends[ends < len(stream)])
    pieces_out = [cut.process(piece) for piece in pieces]
    np.testing.assert_allclose(np.concatenate(pieces_out), whole.process(stream), rtol=0, atol=1)


def test_decimator_is_aligned_with_soxr() -> None:
    """An echo path that was saved with the other stream still fits."""
    random = np.random.default_rng(1)
    sound = np.convolve(random.standard_normal(48_000), np.hanning(31), "same")
    frames = np.rint(sound * 2000).astype(np.int16)
    ours = Decimator(3).process(frames).astype(float)
    theirs = StreamResampler(48_000, 16_000, low_latency=True).process(frames).astype(float)
    part = slice(500, min(len(ours), len(theirs)) - 500)
    assert level_db(ours[part] - theirs[part]) < level_db(theirs[part]) - 30
