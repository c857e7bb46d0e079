"""The hearing must not get clearly worse: a small, reproducible benchmark in simulated time.

The voices and rooms are synthetic, and the bounds are far below the measured values.
`python -m tests.bench.hearing` is the real measurement; this test only detects regressions
that no other test covers.
"""

from dataclasses import replace

import pytest

from parleyd.config import AudioConfig, Config
from tests.bench.hearing import material, scenes, session
from tests.bench.hearing.session import Outcome, Trial
from tests.bench.hearing.tables import JUDGED, SPEECH

pytestmark = pytest.mark.slow

SEED = 11
STEADY = {"clock": "shared", "drift_ppm": 0.0, "delay_ms": 30.0, "knocks": False}


@pytest.fixture(scope="module")
def voices() -> material.Material:
    return material.synthesise("A")


def play(voices: material.Material, scene: scenes.Scene, **changes: object) -> Outcome:
    return session.run(replace(scene, **changes), voices, Config(audio=AudioConfig(volume=100)))  # type: ignore[arg-type]


def planned(kind: str) -> scenes.Scene:
    return scenes.plan(SEED, hours=0.01, users=5, starts=1, only={kind})[0]


@pytest.fixture(scope="module")
def trials(voices: material.Material) -> list[Trial]:
    """Users during a reply that is as loud as they are, and louder; no user is excluded."""
    first = planned("users")
    found = [
        play(voices, first, noise=noise, enr_db=enr_db, user_dbfs=-36.0, snr_db=25.0, **STEADY)
        for noise, enr_db in (("pink", 3), ("quiet", 8))
    ]
    return [trial for outcome in found for trial in outcome.trials]


def test_hearing_quality_users_are_detected_at_once(trials: list[Trial]) -> None:
    spoken = [t for t in trials if t.kind in SPEECH]
    assert len(spoken) == 8
    assert sum(t.reaction_ms is not None and t.reaction_ms <= 200 for t in spoken) >= 6


def test_hearing_quality_users_interrupt(trials: list[Trial]) -> None:
    spoken = [t for t in trials if t.kind in SPEECH]
    assert sum(t.interrupt_ms is not None and t.interrupt_ms <= 800 for t in spoken) >= 6
    assert sum(t.interrupt_ms is not None for t in spoken) >= 7


def test_hearing_quality_a_cough_does_not_interrupt(trials: list[Trial]) -> None:
    coughs = [t for t in trials if t.kind == "cough"]
    assert coughs
    assert all(t.interrupt_ms is None for t in coughs)


def test_hearing_quality_sent_audio_keeps_the_users_level(trials: list[Trial]) -> None:
    levels = sorted(t.level_db for t in trials if t.level_db is not None)
    assert len(levels) >= 6
    assert abs(levels[len(levels) // 2]) < 1.0
    assert levels[0] > -6.0


@pytest.mark.parametrize(("noise", "reactions"), [("quiet", 1), ("kitchen", 6)])
def test_hearing_quality_reply_does_not_interrupt_itself(
    voices: material.Material, noise: str, reactions: int
) -> None:
    alone = play(
        voices, planned("echo"), noise=noise, enr_db=10, user_dbfs=-36.0, snr_db=20.0,
        length_s=15.0, **STEADY,
    ).alone  # fmt: skip
    assert alone.seconds > 12
    assert alone.interruptions == 0
    assert alone.reactions <= reactions


@pytest.mark.parametrize("kind", ["tv", "talker", "babble"])
def test_hearing_quality_other_voices_hardly_interrupt(
    voices: material.Material, kind: str
) -> None:
    alone = play(
        voices, planned(kind), enr_db=5, user_dbfs=-36.0, snr_db=13.0, length_s=15.0, **STEADY
    ).alone
    assert alone.seconds > 12  # without the level of the room's voices most of it is lost
    assert alone.interruptions <= 1


def test_hearing_quality_users_are_heard_over_a_television(voices: material.Material) -> None:
    found = play(
        voices, planned("tv-users"), enr_db=5, user_dbfs=-36.0, snr_db=13.0, **STEADY
    ).trials
    spoken = [t for t in found if t.kind in SPEECH]
    assert sum(t.at_onset in JUDGED for t in spoken) >= len(spoken) - 1
    assert sum(t.reaction_ms is not None and t.reaction_ms <= 250 for t in spoken) >= 3
    assert sum(t.interrupt_ms is not None for t in spoken) >= len(spoken) - 1


def test_hearing_quality_a_late_television_stops_interrupting(voices: material.Material) -> None:
    alone = play(
        voices, planned("late-tv"), enr_db=5, user_dbfs=-36.0, snr_db=13.0, length_s=15.0, **STEADY
    ).alone
    assert alone.seconds > 12
    assert alone.interruptions <= 3  # the first ones teach its level


def test_hearing_quality_short_words_are_noticed(voices: material.Material) -> None:
    words = play(voices, planned("short-words"), noise="pink", **STEADY).trials
    assert {t.kind for t in words} == {"lone", "hiss", "voiced"}
    assert sum(t.reaction_ms is not None and t.reaction_ms <= 250 for t in words) >= 4
    assert sum(t.interrupt_ms is not None for t in words) >= 3


@pytest.mark.parametrize("kind", ["device", "music-under-speech"])
def test_hearing_quality_of_rarer_echoes(voices: material.Material, kind: str) -> None:
    changes = {"noise": "pink", "enr_db": 5, "user_dbfs": -36.0, "snr_db": 25.0} | STEADY
    alone = play(voices, planned(kind), length_s=15.0, **changes).alone
    assert alone.seconds > 12
    assert alone.interruptions == 0
    assert alone.reactions <= 3
    users = play(voices, planned(f"{kind}-users"), **changes).trials
    spoken = [t for t in users if t.kind in SPEECH]
    assert len(spoken) >= 3
    assert sum(t.interrupt_ms is not None for t in spoken) >= len(spoken) - 1
