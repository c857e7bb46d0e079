import numpy as np
import pytest

from parleyd import config
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.delay_estimator import EchoPathDelayEstimator
from parleyd.hearing.echo_canceller import HISTORY, EchoCanceller
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.echo_path import TAPS, EchoPath
from parleyd.units import Floats, Frames
from tests.hearing.echo_rooms import convolve, echo_path, noise, pcm

pytestmark = pytest.mark.slow


def echoed(spoken: Floats, delays_ms: list[float], noise_rms: float = 0.002) -> Frames:
    """Return the echo of `spoken`, with a delay that changes at equal intervals."""
    echoes = [convolve(spoken, echo_path(delay_ms)) for delay_ms in delays_ms]
    each = len(spoken) // len(delays_ms)
    parts = [echo[n * each : (n + 1) * each] for n, echo in enumerate(echoes)]
    mic = np.concatenate(parts)
    return pcm(mic + noise(len(mic), noise_rms, seed=4))


def spoken_like(seconds: float) -> Floats:
    frames = int(seconds * 16_000)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * np.arange(frames) / 16_000)
    return (noise(frames, 0.05, seed=2) * syllables).astype(np.float32)


def watch(finder: EchoPathDelayEstimator, mic: Frames, reference: Frames) -> list[int | None]:
    found = []
    for start in range(0, len(mic), 160):
        part = slice(start, start + 160)
        if finder.push(mic[part], reference[part]):
            found.append(finder.delay())
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("delay_ms", [0, 20, 140, 290])
def test_delay_is_found_to_the_frame_within_a_second(delay_ms: int) -> None:
    spoken = spoken_like(1.0)
    found = watch(EchoPathDelayEstimator(), echoed(spoken, [delay_ms]), pcm(spoken))
    assert found[-1] == pytest.approx(delay_ms * 16, abs=1)


def test_delay_without_an_echo_is_none() -> None:
    spoken = spoken_like(4.0)
    mic = pcm(noise(len(spoken), 0.05, seed=8))
    assert set(watch(EchoPathDelayEstimator(), mic, pcm(spoken))) == {None}
    assert watch(EchoPathDelayEstimator(), mic, np.zeros_like(mic)) == []


@pytest.mark.parametrize("jump_ms", [-12.5, 7.3])
def test_jump_is_measured_relative_to_the_learned_path(jump_ms: float) -> None:
    spoken = spoken_like(6.0)
    mic, reference = echoed(spoken, [40.0, 40.0 + jump_ms]), pcm(spoken)
    canceller, finder = EchoCanceller(), EchoPathDelayEstimator()
    half = len(mic) // 2
    for start in range(0, half, 160):
        part = slice(start, start + 160)
        canceller.process(mic[part], reference[part])
        finder.push(mic[part], reference[part])
    jumps = []
    for start in range(half, half + 2 * 16_000, 160):
        part = slice(start, start + 160)
        if finder.push(mic[part], reference[part]):
            jumps.append(finder.jump(canceller.weights, early=0))
    assert jumps[-1] == pytest.approx(int(40 * 16 + jump_ms * 16) - 640, abs=0.5)


@pytest.mark.parametrize("delays_ms", [[200.0, 200.0], [60.0, 48.0], [60.0, 75.0]])
def test_hearing_cancels_an_echo_that_is_late_or_moves(
    delays_ms: list[float],
) -> None:
    spoken = spoken_like(8.0)
    mic, reference = echoed(spoken, delays_ms, noise_rms=0.0003), pcm(spoken)
    hearing = EchoControl(config.HearingConfig())
    cleaned = np.concatenate(
        [hearing.process(mic[i : i + 160], reference[i : i + 160], i / 16_000).cleaned
         for i in range(0, len(mic), 160)]
    )  # fmt: skip
    end = slice(len(mic) - 16_000, None)
    left_db = 20 * np.log10(np.std(cleaned[end]) / np.std(mic[end]))
    assert left_db < -18


@pytest.mark.parametrize("ppm", [60, -40])
def test_alignment_measures_and_follows_clock_drift(ppm: int) -> None:
    spoken = spoken_like(24.0)
    echo = convolve(spoken, echo_path(60.0))
    at = np.arange(len(echo)) * (1 - ppm * 1e-6)
    mic = pcm(np.interp(at, np.arange(len(echo)), echo) + noise(len(echo), 0.0003))
    reference, alignment = pcm(spoken), Alignment(EchoCanceller(), early=640)
    for start in range(0, len(mic), 160):
        alignment.process(mic[start : start + 160], reference[start : start + 160])
    assert alignment.drift_ppm == pytest.approx(ppm, abs=5)
    assert alignment.delay_ms == pytest.approx(60 + 24 * ppm / 1000, abs=0.2)


def cancelled(
    alignment: Alignment, canceller: EchoCanceller, mic: Frames, reference: Frames
) -> Floats:
    """Return `mic` after alignment and canceller, full scale 1."""
    left = []
    for start in range(0, len(mic), 160):
        frames = mic[start : start + 160]
        handed = alignment.process(frames, reference[start : start + 160])
        left.append(canceller.process(frames, handed).error)
    return np.concatenate(left)


def left_db(left: Floats, mic: Frames) -> float:
    """Return the remaining level of the last second."""
    return float(20 * np.log10(np.std(left[-16_000:]) / (np.std(mic[-16_000:]) / 32768)))


@pytest.mark.parametrize("delay_ms", [1, 5.3, 240, 281.6, 285.3, 292, 299, 300])
def test_alignment_with_any_delay_to_300_ms_cancels(delay_ms: float) -> None:
    """Sound servers that resample have long echo paths; the longest exceeded the reference."""
    spoken = spoken_like(4.0)
    late = np.concatenate([np.zeros(round(delay_ms * 16), np.float32), spoken])[: len(spoken)]
    mic = pcm(late * np.float32(0.5) + noise(len(late), 0.0003))
    canceller = EchoCanceller()
    alignment = Alignment(canceller, early=640)
    left = cancelled(alignment, canceller, mic, pcm(spoken))
    assert alignment.delay_ms == pytest.approx(delay_ms, abs=0.2)
    assert left_db(left, mic) < -18


@pytest.mark.parametrize("delay_ms", [310, 400, 511, 512, 600, 1000])
def test_alignment_with_a_longer_delay_returns_none(delay_ms: int) -> None:
    spoken = spoken_like(4.0)
    late = np.concatenate([np.zeros(delay_ms * 16, np.float32), spoken])[: len(spoken)]
    alignment, mic = Alignment(EchoCanceller(), early=640), pcm(late * np.float32(0.5))
    handed = [alignment.process(mic[i : i + 160], pcm(spoken)[i : i + 160])
              for i in range(0, len(mic), 160)]  # fmt: skip
    assert alignment.delay_ms is None
    assert {len(period) for period in handed} == {160}


@pytest.mark.parametrize(
    "delays_ms", [[40.0, 299.0], [299.0, 1.0], [299.0, 280.0], [285.0, 299.5], [299.0, 340.0]]
)
def test_alignment_after_a_jump_to_any_delay_cancels(delays_ms: list[float]) -> None:
    """A sound server that changes its rate or sink shifts the echo by hundreds of ms."""
    spoken = spoken_like(10.0)
    mic, canceller = echoed(spoken, delays_ms, noise_rms=0.0003), EchoCanceller()
    left = cancelled(Alignment(canceller, early=640), canceller, mic, pcm(spoken))
    assert np.isfinite(left).all()
    assert delays_ms[-1] > 300 or left_db(left, mic) < -15


def test_alignment_drifting_for_hours_keeps_its_bounds() -> None:
    """400 ppm is 300 ms in twelve minutes, and no playback corrects it."""
    for drift in (400e-6, -400e-6):
        alignment = Alignment(EchoCanceller(), early=640)
        alignment.restore(EchoPath(np.zeros(TAPS, np.float32), 4480.0, 4800.0, drift))
        silence = np.zeros(160, np.int16)
        for _ in range(12_000):
            assert len(alignment.process(silence, silence)) == 160
        alignment.dropped(160)


@pytest.mark.parametrize("frames", [0, 1, 640, HISTORY, 8191, 8192, 8193, 9600, 12_000, 1_000_000])
def test_alignment_dropped_accepts_any_number_of_frames(frames: int) -> None:
    alignment = Alignment(EchoCanceller(), early=640)
    loud = np.full(160, 12_000, np.int16)
    for _ in range(100):
        alignment.process(np.zeros_like(loud), loud)
    alignment.dropped(frames)
    silence = np.zeros(160, np.int16)
    kept = [alignment.process(silence, silence) for _ in range(10)]
    assert np.count_nonzero(kept) == max(0, 320 - frames)  # 20 ms early, minus the removed frames


@pytest.mark.parametrize("late", [43_201.0, 9e9])
def test_echo_path_with_an_impossible_delay_is_not_plausible(late: float) -> None:
    weights = np.zeros(TAPS, np.float32)
    assert EchoPath(weights, 42_880.0, 43_200.0, 0.0).plausible
    assert not EchoPath(weights, late, late, 0.0).plausible
    alignment = Alignment(EchoCanceller(), early=640)
    alignment.restore(EchoPath(weights, late, late, 0.0))
    assert len(alignment.process(np.ones(160, np.int16), np.ones(160, np.int16))) == 160


@pytest.mark.parametrize("delay_ms", [350, 800, 2000])
def test_echo_beyond_300_ms_is_found_and_cancelled(delay_ms: int) -> None:
    spoken = uneven_speech(14.0)
    mic, reference = echoed(spoken, [delay_ms]), pcm(spoken)
    control = EchoControl(config.HearingConfig())
    cleaned = []
    for period in range(len(mic) // 160):
        part = slice(period * 160, (period + 1) * 160)
        cleaned.append(control.process(mic[part], reference[part], period / 100).cleaned)
        if period % 100 == 99:
            control.own_voice()
    assert control.delay_ms == pytest.approx(delay_ms, abs=1)
    late = slice(-4 * 16_000, None)
    left = np.std(np.concatenate(cleaned)[late]) / np.std(mic[late])
    assert left < 0.3  # 10 dB; the noise is 28 dB below


def uneven_speech(seconds: float) -> Floats:
    """Return noise whose syllables differ: regular ones are like each other at any delay."""
    random = np.random.default_rng(7)
    parts = [np.zeros(160)]
    while sum(len(part) for part in parts) < seconds * 16_000:
        frames = int(random.uniform(0.08, 0.4) * 16_000)
        loud = noise(frames, random.uniform(0.02, 0.08), seed=len(parts))
        parts += [loud * np.hanning(frames), np.zeros(int(random.uniform(0, 0.2) * 16_000))]
    return np.concatenate(parts)[: int(seconds * 16_000)].astype(np.float32)
