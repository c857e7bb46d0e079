"""The gate alone, with a scripted engine."""

import numpy as np

from parleyd.units import Frames
from parleyd.wake import WakeScore
from parleyd.wake.gate import Gate

PERIOD = np.zeros(160, np.int16)


class Firing:
    """A wake engine that detects the given keywords, one per period."""

    name = "firing"
    score: WakeScore | None = None
    bands = None

    def __init__(self, *fired: str | None) -> None:
        self._fired = iter(fired)
        self.keywords: tuple[str, ...] = ("a", "b")
        self.spoken_over: list[bool] = []

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        self.spoken_over.append(speaking)
        return next(self._fired)

    def close(self) -> None:
        pass


def test_gate_opens_again_exactly_after_its_time() -> None:
    gate = Gate(Firing("a", "a", "a", "a"), refractory_s=2.0)
    times = (10.0, 11.99, 12.0, 13.99)
    assert [gate.process(PERIOD, now, False) for now in times] == ["a", None, "a", None]


def test_gate_is_not_extended_by_blocked_detections() -> None:
    """A word that fires continuously still wakes Parley every two seconds."""
    gate = Gate(Firing(*["a"] * 50), refractory_s=2.0)
    heard = [gate.process(PERIOD, second / 10, False) for second in range(50)]
    assert [index for index, keyword in enumerate(heard) if keyword] == [0, 20, 40]


def test_gate_counts_for_all_keywords_together() -> None:
    gate = Gate(Firing("a", "b", None, "b"), refractory_s=1.0)
    assert [gate.process(PERIOD, now, False) for now in (0.0, 0.5, 0.9, 1.0)] == [
        "a", None, None, "b",
    ]  # fmt: skip


def test_gate_is_not_closed_by_silence() -> None:
    gate = Gate(Firing(None, "a"), refractory_s=5.0)
    assert [gate.process(PERIOD, now, False) for now in (0.0, 0.01)] == [None, "a"]


def test_gate_feeds_the_engine_every_period() -> None:
    engine = Firing("a", "a", None)
    gate = Gate(engine, refractory_s=9.0)
    for now, speaking in ((0.0, False), (0.01, True), (0.02, False)):
        gate.process(PERIOD, now, speaking)
    assert engine.spoken_over == [False, True, False]


def test_wary_gate_waits_for_a_clear_score() -> None:
    engine = Firing(*["a"] * 9)
    gate = Gate(engine, refractory_s=1.0)
    engine.score = WakeScore(0.94, 0.8)
    assert gate.process(PERIOD, 0.0, False, wary=True) is None
    engine.score = WakeScore(0.96, 0.8)
    assert gate.process(PERIOD, 0.03, False, wary=True) == "a"
    engine.score = WakeScore(0.81, 0.8)
    assert gate.process(PERIOD, 2.0, False) == "a"


def test_wary_gate_believes_an_engine_without_scores() -> None:
    assert Gate(Firing("a"), refractory_s=1.0).process(PERIOD, 0.0, False, wary=True) == "a"
