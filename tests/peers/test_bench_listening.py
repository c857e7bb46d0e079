"""The bench's ears on recordings with known silence, places and losses."""

import numpy as np

from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ
from tests.bench.peers import listening


def noise(seconds: float, seed: int = 0) -> Signal:
    return np.random.default_rng(seed).standard_normal(int(seconds * MIC_RATE_HZ)) * 0.05


def test_sounding_takes_comfort_noise_for_sound() -> None:
    silence = np.zeros(MIC_RATE_HZ // 10)
    comfort = noise(0.1) * 0.02  # -60 dBFS
    frames = np.round(np.concatenate((silence, comfort, silence)) * 32768).astype(np.int16)
    on = listening.sounding(frames)
    assert on.tolist() == [False] * 20 + [True] * 20 + [False] * 20


def test_gap_of_60_ms_is_a_stop_and_a_shorter_one_is_not() -> None:
    on = np.ones(60, bool)
    on[10:21] = False  # 55 ms
    on[30:42] = False  # 60 ms
    assert np.flatnonzero(~listening.without_short_gaps(on)).tolist() == list(range(30, 42))


def test_silence_at_the_end_is_a_stop() -> None:
    on = np.array([True] * 20 + [False] * 30)
    assert listening.without_short_gaps(on).sum() == 20


def test_heard_until_finds_the_place_at_any_gain() -> None:
    answer = noise(4.0)
    start, end = 1.2, 2.9
    part = answer[int(start * MIC_RATE_HZ) : int(end * MIC_RATE_HZ)]
    before = np.zeros(8000, np.int16)
    loudspeaker = np.concatenate((before, np.round(part * 8000).astype(np.int16)))
    heard_ms = listening.heard_until(loudspeaker, len(loudspeaker), answer)
    assert heard_ms is not None
    assert abs(heard_ms - 2900) < 1


def test_heard_until_rejects_another_answer() -> None:
    loudspeaker = np.round(noise(1.0, seed=5) * 32768).astype(np.int16)
    assert listening.heard_until(loudspeaker, len(loudspeaker), noise(4.0)) is None


def test_lost_beginning_is_measured_to_50_ms() -> None:
    clip = noise(1.5)
    cut = clip.copy()
    cut[: MIC_RATE_HZ // 5] = 0.0
    around = noise(0.5, seed=9) * 0.01
    assert listening.lost_beginning_ms(np.concatenate((around, clip, around)), clip) == 0
    assert listening.lost_beginning_ms(np.concatenate((around, cut, around)), clip) == 200
    assert listening.lost_beginning_ms(np.concatenate((around, around)), clip) is None


def test_lost_beginning_counts_audio_that_was_never_sent() -> None:
    clip = noise(1.5)
    assert listening.lost_beginning_ms(clip[MIC_RATE_HZ // 10 :], clip) == 100
