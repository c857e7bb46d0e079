"""The judgement of recordings: levels, faults of microphones, and a tone in noise."""

import numpy as np
import pytest

from parleyd.diagnostics.sound_judgement import (
    TONE_HZ,
    Flaw,
    find_tone,
    is_heard,
    judge,
    tone,
)
from parleyd.units import MIC_RATE_HZ, Frames

SECOND = MIC_RATE_HZ


def noise(dbfs: float, seconds: float = 1.2, seed: int = 1) -> Frames:
    deviation = 32768 * 10 ** (dbfs / 20)
    drawn = np.random.default_rng(seed).normal(0, deviation, round(seconds * SECOND))
    return np.clip(np.rint(drawn), -32768, 32767).astype(np.int16)


def gated(frames: Frames) -> Frames:
    closed = frames.copy()
    closed[3000:9000] = 0
    return closed


def cut(frames: Frames, least: int = 1) -> Frames:
    """Without the exact zeros that a gate makes."""
    return np.where(frames == 0, least, frames).astype(np.int16)


@pytest.mark.parametrize(
    ("frames", "flaw"),
    [
        (noise(-60), None),
        (noise(-80), None),
        (noise(-25), None),
        (np.zeros(SECOND, np.int16), Flaw.DEAD),
        (np.full(SECOND, -7, np.int16), Flaw.DEAD),
        (gated(noise(-50)), Flaw.GATE),
        (noise(-6), Flaw.CLIPS),
        ((noise(-60) + 1500).astype(np.int16), Flaw.OFFSET),
        ((noise(-60) - 1500).astype(np.int16), Flaw.OFFSET),
        ((noise(-60) + 300).astype(np.int16), None),
        (cut(noise(-93)), Flaw.QUIET),
        (noise(-15), Flaw.LOUD),
    ],
)
def test_recording_is_judged_by_its_worst_flaw(frames: Frames, flaw: Flaw | None) -> None:
    assert judge(frames).flaw is flaw


def test_levels_are_without_the_offset() -> None:
    found = judge((noise(-40) + 3277).astype(np.int16))
    assert found.level_dbfs == pytest.approx(-40, abs=0.2)
    assert found.offset == pytest.approx(0.1, abs=0.001)
    assert -25 < found.peak_dbfs < -15


@pytest.mark.parametrize("length", [1, 2, 160])
def test_short_recording_is_judged(length: int) -> None:
    judge(noise(-40)[:length])
    assert find_tone(noise(-40)[:length]).over_db == 0


def recorded(tone_dbfs: float, room_dbfs: float, delay_s: float, seed: int) -> Frames:
    room = noise(room_dbfs, 1.6, seed).astype(np.float64)
    played = tone(MIC_RATE_HZ, tone_dbfs)
    start = round(delay_s * SECOND)
    kept = played[: len(room) - start]
    room[start : start + len(kept)] += kept
    return np.clip(np.rint(room), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("delay_s", [0.0, 0.137, 0.5, 0.75])
@pytest.mark.parametrize("under_db", [-20, 0, 6])
def test_tone_is_found_even_below_the_noise(delay_s: float, under_db: float) -> None:
    for seed in range(5):
        found = find_tone(recorded(-50 - under_db, -50, delay_s, seed))
        assert is_heard(found, find_tone(noise(-50, seed=100 + seed)))
        assert found.level_dbfs == pytest.approx(-50 - under_db, abs=1.5)


def test_noise_alone_is_never_the_tone() -> None:
    for seed in range(300):
        frames = noise(-40, 1.6, seed)
        assert not is_heard(find_tone(frames), find_tone(noise(-40, seed=1000 + seed)))


def test_hum_and_a_whistle_at_its_pitch_are_not_the_tone() -> None:
    time_s = np.arange(SECOND * 16 // 10) / SECOND
    hum = (3000 * np.sign(np.sin(2 * np.pi * 50 * time_s))).astype(np.int16)
    assert not is_heard(find_tone(hum), find_tone(hum))
    whistle = (3000 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.int16)
    assert not is_heard(find_tone(whistle), find_tone(whistle))


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
def test_tone_has_its_level_and_soft_ends(rate_hz: int) -> None:
    made = tone(rate_hz, -34.0)
    assert len(made) == round(0.8 * rate_hz)
    middle = made[len(made) // 4 : -len(made) // 4].astype(np.float64) / 32768
    assert 10 * np.log10(np.mean(middle**2)) == pytest.approx(-34, abs=0.2)
    assert abs(int(made[0])) + abs(int(made[-1])) < 20
