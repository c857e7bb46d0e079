import numpy as np
import pytest
from echo_rooms import convolve, echo_path, noise, pcm

from parleyd import config
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.canceller import Canceller
from parleyd.hearing.delay import DelayFinder
from parleyd.hearing.pipeline import Hearing
from parleyd.units import Floats, Frames


def echoed(spoken: Floats, delays_ms: list[float], noise_rms: float = 0.002) -> Frames:
    """The echo of `spoken`, its delay changing at equal intervals."""
    echoes = [convolve(spoken, echo_path(delay_ms)) for delay_ms in delays_ms]
    each = len(spoken) // len(delays_ms)
    parts = [echo[n * each : (n + 1) * each] for n, echo in enumerate(echoes)]
    mic = np.concatenate(parts)
    return pcm(mic + noise(len(mic), noise_rms, seed=4))


def spoken_like(seconds: float) -> Floats:
    frames = int(seconds * 16_000)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * np.arange(frames) / 16_000)
    return (noise(frames, 0.05, seed=2) * syllables).astype(np.float32)


def watch(finder: DelayFinder, mic: Frames, reference: Frames) -> list[int | None]:
    found = []
    for start in range(0, len(mic), 160):
        part = slice(start, start + 160)
        if finder.push(mic[part], reference[part]):
            found.append(finder.delay())
    return found


@pytest.mark.parametrize("delay_ms", [0, 20, 140, 290])
def test_the_delay_is_found_within_a_second_to_the_frame(delay_ms: int) -> None:
    spoken = spoken_like(1.0)
    found = watch(DelayFinder(), echoed(spoken, [delay_ms]), pcm(spoken))
    assert found[-1] == pytest.approx(delay_ms * 16, abs=1)


def test_no_echo_has_no_delay() -> None:
    spoken = spoken_like(4.0)
    mic = pcm(noise(len(spoken), 0.05, seed=8))
    assert set(watch(DelayFinder(), mic, pcm(spoken))) == {None}
    assert watch(DelayFinder(), mic, np.zeros_like(mic)) == []


@pytest.mark.parametrize("jump_ms", [-12.5, 7.3])
def test_a_jump_is_measured_against_what_the_canceller_has_learnt(jump_ms: float) -> None:
    spoken = spoken_like(6.0)
    mic, reference = echoed(spoken, [40.0, 40.0 + jump_ms]), pcm(spoken)
    canceller, finder = Canceller(), DelayFinder()
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
def test_an_echo_that_comes_late_or_moves_is_cancelled_all_the_same(
    delays_ms: list[float],
) -> None:
    spoken = spoken_like(8.0)
    mic, reference = echoed(spoken, delays_ms, noise_rms=0.0003), pcm(spoken)
    hearing = Hearing(config.Hearing())
    cleaned = np.concatenate(
        [hearing.process(mic[i : i + 160], reference[i : i + 160], i / 16_000).cleaned
         for i in range(0, len(mic), 160)]
    )  # fmt: skip
    end = slice(len(mic) - 16_000, None)
    left_db = 20 * np.log10(np.std(cleaned[end]) / np.std(mic[end]))
    assert left_db < -18


@pytest.mark.parametrize("ppm", [60, -40])
def test_a_clock_that_drifts_is_measured_and_followed(ppm: int) -> None:
    spoken = spoken_like(24.0)
    echo = convolve(spoken, echo_path(60.0))
    at = np.arange(len(echo)) * (1 - ppm * 1e-6)
    mic = pcm(np.interp(at, np.arange(len(echo)), echo) + noise(len(echo), 0.0003))
    reference, alignment = pcm(spoken), Alignment(Canceller(), early=640)
    for start in range(0, len(mic), 160):
        alignment.process(mic[start : start + 160], reference[start : start + 160])
    assert alignment.drift_ppm == pytest.approx(ppm, abs=5)
    assert alignment.delay_ms == pytest.approx(60 + 24 * ppm / 1000, abs=0.2)
