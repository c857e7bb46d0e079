"""Cells in which the rig did not keep up are noticed."""

import numpy as np

from parleyd.audio import Doubles
from parleyd.units import MIC_PERIOD_FRAMES
from tests.bench.peers.soundness import Soundness, first_place, lateness_ms, soundness

PERIODS = 500
NOISE = np.random.default_rng(1).integers(-900, 900, PERIODS * MIC_PERIOD_FRAMES).astype(np.int16)
STEADY: Doubles = np.linspace(100.0, 104.99, PERIODS)


def judge(*, late_s: float = 0.0, skip: int | None = None, overruns: int = 0) -> Soundness:
    came_at = STEADY.copy()
    came_at[300] += late_s
    check = NOISE[1000:]
    if skip is not None:
        check = np.delete(check, slice(skip, skip + 10))
    check_came_at = STEADY[: len(check) // MIC_PERIOD_FRAMES] + 0.0705
    return soundness(came_at, NOISE, check, check_came_at, (100.0, 106.0), overruns)


def test_steady_rig_has_no_fault() -> None:
    judged = judge()
    assert judged.faults() == []
    assert judged.lost_frames == 0
    assert 0.0 < judged.delay_ms < 15.0


def test_late_period_spoils_its_place() -> None:
    assert judge(late_s=0.02).spoiled == []
    assert judge(late_s=0.06).spoiled == [300 * MIC_PERIOD_FRAMES]


def test_lost_frames_are_a_fault() -> None:
    assert any("lost" in fault for fault in judge(skip=20_000).faults())


def test_full_pipe_is_a_fault() -> None:
    assert judge(overruns=2).faults() == ["the microphone's pipe was full 2 times"]


def test_first_place_of_strange_sound_is_none() -> None:
    assert first_place(NOISE, NOISE[::-1].copy()) is None
    assert first_place(NOISE, NOISE[4321:]) == 4321


def test_fast_clock_is_not_late() -> None:
    fast = STEADY - 0.0005 * (STEADY - 100.0)
    assert np.abs(lateness_ms(fast)).max() < 0.01
