"""The bench's voices that do not address Parley: each kind is what the scenes promise."""

import numpy as np
import pytest

from parleyd.audio import FULL_SCALE
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ
from tests.bench.hearing import scenes
from tests.bench.hearing.material import Clip, Material, RoomPaths
from tests.bench.hearing.room_voices import ROOM_VOICES, raised, room_voices

SECONDS = 60
PITCH_HZ = 200.0
DIRECT = np.array([1.0])
ROOM = RoomPaths("open", DIRECT, DIRECT, (DIRECT,))


def clip(name: str, length_s: float = 2.0) -> Clip:
    time_s = np.arange(int(length_s * MIC_RATE_HZ)) / MIC_RATE_HZ
    voice = sum(np.sin(2 * np.pi * n * PITCH_HZ * time_s) / n for n in range(1, 15))
    return Clip(name, np.rint(4000 * voice).astype(np.int16))


VOICES = [clip(f"v{n}") for n in range(6)]
MATERIAL = Material("tones", VOICES, VOICES, [clip("music", 9.0)], {}, [ROOM])


def sound(kind: str, seed: int = 1) -> Signal:
    frames = SECONDS * MIC_RATE_HZ
    return room_voices(kind, MATERIAL, ROOM, np.random.default_rng(seed), frames)  # type: ignore[arg-type]


def levels_db(signal: Signal, seconds: float) -> Signal:
    blocks = signal[: len(signal) // 1600 * 1600].reshape(-1, int(seconds * MIC_RATE_HZ))
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12))


@pytest.mark.parametrize("kind", ROOM_VOICES)
def test_room_voices_fill_the_session(kind: str) -> None:
    found = sound(kind)
    assert len(found) == SECONDS * MIC_RATE_HZ
    assert np.isfinite(found).all()
    assert np.sqrt(np.mean(found**2)) > 0.1
    assert np.array_equal(found, sound(kind))


def test_room_voices_of_a_late_television_begin_in_the_middle() -> None:
    found = levels_db(sound("late-tv"), 1.0)
    first = int(np.argmax(found > -60))
    assert 0.4 * SECONDS - 1 <= first <= 0.65 * SECONDS


def test_room_voices_of_a_film_rise_and_fall() -> None:
    found = levels_db(sound("film"), 2.0)
    even = levels_db(sound("tv"), 2.0)
    assert np.percentile(found, 90) - np.percentile(found, 10) > 9
    assert np.percentile(even, 90) - np.percentile(even, 10) < 9


def test_room_voices_of_a_child_are_higher() -> None:
    child = raised(VOICES[0].frames, 1.5)
    assert len(child) == pytest.approx(len(VOICES[0].frames) / 1.5, abs=2)
    power = np.abs(np.fft.rfft(child / FULL_SCALE))
    peak_hz = float(np.argmax(power)) * MIC_RATE_HZ / len(child)
    assert peak_hz == pytest.approx(1.5 * PITCH_HZ, abs=2)
    assert raised(child, 1.0) is child


def test_room_voices_scenes_begin_with_a_question() -> None:
    plan = scenes.plan(3, hours=0.1, users=30, starts=0, only=set())
    beside = [scene for scene in plan if scene.voices]
    assert {scene.noise for scene in beside} == set(ROOM_VOICES)
    assert all(scene.asks for scene in beside)
    assert not any(scene.asks for scene in plan if not scene.voices)
    away = [scene for scene in plan if scene.softer_db]
    children = [scene for scene in plan if scene.pitch != 1.0]
    assert [scene.name[:7] for scene in away[:1] + children[:1]] == ["tv-away", "tv-chil"]
    assert len({scene.seed for scene in plan}) == len(plan)
