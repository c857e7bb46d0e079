import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parleyd.simulation.convolution import ClockDrift, Convolver, DelayLine, PeriodResampler


@settings(max_examples=30)
@given(taps=st.integers(1, 700), block=st.sampled_from([16, 160]), seed=st.integers(0, 99))
def test_convolver_by_blocks_equals_one_convolution(taps: int, block: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    impulse, signal = random.normal(size=taps), random.normal(size=12 * block)
    convolver = Convolver(impulse, block)
    streamed = np.concatenate([convolver.process(part) for part in np.split(signal, 12)])
    np.testing.assert_allclose(streamed, np.convolve(signal, impulse)[: len(signal)], atol=1e-9)


@pytest.mark.parametrize("silent", [1, 2, 3, 4, 5, 9])
def test_convolver_may_rest_in_silence(silent: int) -> None:
    """The tail of three blocks ends in it or not, and the next sound begins anew."""
    random = np.random.default_rng(silent)
    impulse, signal = random.normal(size=48), random.normal(size=12 * 16)
    signal[16 : (1 + silent) * 16] = 0.0
    convolver = Convolver(impulse, 16)
    streamed = np.concatenate([convolver.process(part) for part in np.split(signal, 12)])
    np.testing.assert_allclose(streamed, np.convolve(signal, impulse)[: len(signal)], atol=1e-9)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 16000), (44100, 16000), (24000, 16000)])
@pytest.mark.parametrize("tone_hz", [300.0, 3000.0, 6500.0])
def test_period_resampler_keeps_a_tone_with_its_delay(
    from_hz: int, to_hz: int, tone_hz: float
) -> None:
    resampler = PeriodResampler(from_hz, to_hz)
    tone = np.sin(2 * np.pi * tone_hz * np.arange(from_hz // 2) / from_hz)
    out = np.concatenate([resampler.process(part) for part in np.split(tone, 50)])
    time_s = np.arange(to_hz // 2) / to_hz - resampler.delay_ms / 1000
    settled = slice(to_hz // 20, None)
    np.testing.assert_allclose(
        out[settled], np.sin(2 * np.pi * tone_hz * time_s)[settled], atol=0.02
    )


def test_period_resampler_removes_aliases() -> None:
    resampler = PeriodResampler(48000, 16000)
    tone = np.sin(2 * np.pi * 11_000 * np.arange(24_000) / 48_000)
    out = np.concatenate([resampler.process(part) for part in np.split(tone, 50)])
    assert np.max(np.abs(out[800:])) < 0.001


def test_delay_line_may_change_its_delay_between_blocks() -> None:
    line, ramp = DelayLine(100, 10), np.arange(1.0, 41.0)
    first = line.process(ramp[:10])
    line.delay_frames = 7
    second = line.process(ramp[10:20])
    np.testing.assert_array_equal(first, ramp[:10])
    np.testing.assert_array_equal(second, ramp[3:13])


@pytest.mark.parametrize("ppm", [-500.0, 100.0, 500.0])
def test_clock_drift_shifts_a_tone_by_its_ppm(ppm: float) -> None:
    drift, rate_hz, tone_hz = ClockDrift(ppm, 480), 48_000, 1000.0
    source = np.sin(2 * np.pi * tone_hz * np.arange(110_000) / rate_hz)
    taken, out = 0, []
    for _ in range(200):
        wanted = drift.wanted_frames
        out.append(drift.process(source[taken : taken + wanted]))
        taken += wanted
    heard = np.concatenate(out)
    at = np.arange(len(heard)) * (1 + ppm * 1e-6) - 3
    expected = np.sin(2 * np.pi * tone_hz * at / rate_hz)
    assert taken == pytest.approx(96_000 * (1 + ppm * 1e-6), abs=1.01)
    np.testing.assert_allclose(heard[480:], expected[480:], atol=1e-3)
