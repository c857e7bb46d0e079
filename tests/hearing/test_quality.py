"""Hearing must not get clearly worse: a small bench in simulated time, the same at every run.

Synthesised voices and rooms, bounds far below what is reached: `python -m tests.bench.hearing`
is what measures; this only notices when something broke that no other test looks at.
"""

from dataclasses import replace

import pytest

from parleyd.config import Audio, Config
from tests.bench.hearing import material, scenes, session
from tests.bench.hearing.session import Outcome, Trial
from tests.bench.hearing.tables import SPEECH

pytestmark = pytest.mark.slow

SEED = 11
STEADY = {"clock": "shared", "drift_ppm": 0.0, "delay_ms": 30.0, "knocks": False}


@pytest.fixture(scope="module")
def voices() -> material.Material:
    return material.synthesise("A")


def play(voices: material.Material, scene: scenes.Scene, **changes: object) -> Outcome:
    return session.run(replace(scene, **changes), voices, Config(audio=Audio(volume=100)))  # type: ignore[arg-type]


def planned(kind: str) -> scenes.Scene:
    return scenes.plan(SEED, hours=0.01, users=5, starts=1, only={kind})[0]


@pytest.fixture(scope="module")
def trials(voices: material.Material) -> list[Trial]:
    """Users over a reply that is as loud as they are, and louder; nobody is left out."""
    first = planned("users")
    found = [
        play(voices, first, noise=noise, enr_db=enr_db, user_dbfs=-36.0, snr_db=25.0, **STEADY)
        for noise, enr_db in (("pink", 3), ("quiet", 8))
    ]
    return [trial for outcome in found for trial in outcome.trials]


def test_users_are_heard_at_once(trials: list[Trial]) -> None:
    spoken = [t for t in trials if t.kind in SPEECH]
    assert len(spoken) == 8
    assert sum(t.reaction_ms is not None and t.reaction_ms <= 200 for t in spoken) >= 6


def test_users_are_answered(trials: list[Trial]) -> None:
    spoken = [t for t in trials if t.kind in SPEECH]
    assert sum(t.interrupt_ms is not None and t.interrupt_ms <= 800 for t in spoken) >= 6
    assert sum(t.interrupt_ms is not None for t in spoken) >= 7


def test_a_cough_costs_no_answer(trials: list[Trial]) -> None:
    coughs = [t for t in trials if t.kind == "cough"]
    assert coughs
    assert all(t.interrupt_ms is None for t in coughs)


def test_what_is_sent_holds_the_user_as_loud_as_he_was(trials: list[Trial]) -> None:
    levels = sorted(t.level_db for t in trials if t.level_db is not None)
    assert len(levels) >= 6
    assert abs(levels[len(levels) // 2]) < 1.0
    assert levels[0] > -6.0


@pytest.mark.parametrize(("noise", "reactions"), [("quiet", 1), ("kitchen", 6)])
def test_parley_does_not_interrupt_itself(
    voices: material.Material, noise: str, reactions: int
) -> None:
    alone = play(
        voices, planned("echo"), noise=noise, enr_db=10, user_dbfs=-36.0, snr_db=20.0,
        length_s=15.0, **STEADY,
    ).alone  # fmt: skip
    assert alone.seconds > 12
    assert alone.interruptions == 0
    assert alone.reactions <= reactions
