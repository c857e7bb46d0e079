"""The decision alone: scores and voices in, verdicts out."""

import numpy as np
import pytest

from parleyd import config
from parleyd.hearing import HeardPeriod
from parleyd.hearing.bargein import THRESHOLD, BargeIn, Kind, Verdict

HOLD = config.Hearing(reaction="hold", confirm_ms=500)
DUCK = config.Hearing(reaction="duck", confirm_ms=500)


class Script:
    """Feeds a decision 10 ms at a time; every third period ends a detector chunk."""

    def __init__(self, settings: config.Hearing = HOLD, *, armed: bool = True) -> None:
        self.decision = BargeIn(settings)
        self.periods = 0
        if armed:
            self.decision.arm(0.0)

    @property
    def now(self) -> float:
        return self.periods / 100

    def hear(
        self, ms: int, score: float = 0.0, voice: float = 0.0, trusted: bool = True
    ) -> list[Verdict]:
        verdicts = []
        for _ in range(ms // 10):
            self.periods += 1
            heard = HeardPeriod(
                cleaned=np.zeros(160, np.int16),
                score=score,
                voice=voice,
                voice_chunk=self.periods % 3 == 0,
                level_dbfs=-40.0,
                echo_dbfs=-30.0,
                trusted=trusted,
            )
            if verdict := self.decision.update(heard, self.now):
                verdicts.append(verdict)
        return verdicts


def test_two_loud_periods_of_three_are_suspicious_at_once() -> None:
    script = Script()
    assert script.hear(500) == []
    assert script.hear(10, score=5.0) == []
    (verdict,) = script.hear(10, score=5.0)
    assert verdict.kind is Kind.SUSPECT
    assert verdict.reason
    assert verdict.numbers["score"] == 5.0
    assert verdict.numbers["threshold"] == THRESHOLD
    assert verdict.onset == pytest.approx(0.50)
    assert script.decision.pending


def test_one_loud_period_is_a_click() -> None:
    script = Script()
    for _ in range(20):
        assert script.hear(10, score=9.0) == []
        assert script.hear(20) == []


def test_the_onset_is_where_the_score_left_the_ground() -> None:
    script = Script()
    script.hear(1000)
    script.hear(60, score=0.6)
    (verdict,) = script.hear(20, score=4.0)
    assert verdict.onset == pytest.approx(1.0)


@pytest.mark.parametrize(("settings", "ignored_ms"), [(HOLD, 150), (DUCK, 100)])
def test_a_voice_confirms_once_the_room_has_rung_out(
    settings: config.Hearing, ignored_ms: int
) -> None:
    script = Script(settings)
    (suspicion,) = script.hear(20, score=5.0, voice=0.9)
    (verdict,) = script.hear(500, score=5.0, voice=0.9)
    assert verdict.kind is Kind.CONFIRM
    assert verdict.onset == suspicion.onset
    waited_ms = verdict.numbers["waited_ms"]
    assert ignored_ms + 20 <= waited_ms <= ignored_ms + 70
    assert verdict.numbers["voice_chunks"] == 2
    assert not script.decision.pending
    assert script.hear(500, score=9.0, voice=0.9) == []  # until armed again


@pytest.mark.parametrize(
    ("score", "voice"),
    [(5.0, 0.3), (0.5, 0.9)],
    ids=["noise without a voice", "a voice that the detector only remembers"],
)
def test_without_a_loud_voice_playback_goes_on_in_time(score: float, voice: float) -> None:
    script = Script()
    script.hear(20, score=5.0, voice=voice)
    suspected = script.now
    assert script.hear(490, score=score, voice=voice) == []
    (verdict,) = script.hear(10, score=score, voice=voice)
    assert verdict.kind is Kind.REJECT
    assert script.now == pytest.approx(suspected + 0.5)
    assert not script.decision.pending


def test_a_false_alarm_raises_the_threshold_and_is_forgotten() -> None:
    script = Script()
    script.hear(20, score=5.0)
    script.hear(500)
    assert script.decision.threshold(script.now) == pytest.approx(THRESHOLD + 1.5)
    assert script.hear(100, score=2.0) == []
    script.hear(1900)
    assert script.decision.threshold(script.now) == pytest.approx(THRESHOLD)
    assert [verdict.kind for verdict in script.hear(20, score=2.0)] == [Kind.SUSPECT]


def test_however_much_it_rattles_a_loud_user_gets_through() -> None:
    script = Script()
    for _ in range(50):
        script.hear(520, score=20.0)
    script.hear(500)
    assert script.decision.threshold(script.now) <= THRESHOLD + 4.5
    assert [verdict.kind for verdict in script.hear(20, score=7.0)] == [Kind.SUSPECT]


def test_only_armed_trusted_and_allowed() -> None:
    assert Script(armed=False).hear(500, score=9.0) == []
    assert Script(config.Hearing(barge_in=False)).hear(500, score=9.0) == []
    assert Script().hear(500, score=9.0, trusted=False) == []
    script = Script()
    script.hear(20, score=9.0)
    script.decision.disarm()
    assert not script.decision.pending
    assert script.hear(1000, score=9.0, voice=0.9) == []


def test_every_suspicion_is_decided_within_the_window() -> None:
    random = np.random.default_rng(7)
    for reaction in ("hold", "duck"):
        script = Script(config.Hearing(reaction=reaction, confirm_ms=300))
        suspected = None
        for _ in range(5000):
            said = script.hear(10, float(random.exponential(1.5)), float(random.uniform()))
            for verdict in said:
                if verdict.kind is Kind.SUSPECT:
                    assert suspected is None
                    suspected = script.now
                else:
                    assert suspected is not None
                    assert script.now - suspected <= 0.3 + 1e-9
                    suspected = None
                    if verdict.kind is Kind.CONFIRM:
                        script.decision.arm(script.now)
