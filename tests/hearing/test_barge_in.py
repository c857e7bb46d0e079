"""The decision alone: scores and probabilities in, decisions out."""

import numpy as np
import pytest

from parleyd import config
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import BargeInDecision, BargeInDetector, Decision

THRESHOLD = 0.6

HOLD = config.HearingConfig(on_suspicion="hold", decision_window_ms=500)
DUCK = config.HearingConfig(on_suspicion="duck", decision_window_ms=500)
SURE = 0.995


class Script:
    """Feeds a decision 10 ms at a time; every third period ends a detector chunk."""

    def __init__(self, settings: config.HearingConfig = HOLD, *, armed: bool = True) -> None:
        self.decision = BargeInDetector(settings)
        self.periods = 0
        if armed:
            self.decision.arm(0.0)

    @property
    def now(self) -> float:
        return self.periods / 100

    def hear(
        self,
        ms: int,
        near_end: float = 0.0,
        voice: float = 0.0,
        *,
        speech: float | None = None,
        score: float | None = None,
        echo_dbfs: float = -60.0,
        level_dbfs: float = -40.0,
        unsettled: bool = False,
        trusted: bool = True,
    ) -> list[BargeInDecision]:
        """Feed `ms` of equal periods; a voice is a little over the noise if there is no `score`."""
        decisions = []
        sounds = max(near_end, voice, speech or 0.0) > 0
        for _ in range(ms // 10):
            self.periods += 1
            heard = ProcessedPeriod(
                cleaned=np.zeros(160, np.int16),
                excess_db=score if score is not None else 2.0 * sounds,
                voice=voice,
                voice_chunk=self.periods % 3 == 0,
                near_end=near_end,
                speech=near_end if speech is None else speech,
                level_dbfs=level_dbfs,
                echo_dbfs=echo_dbfs,
                echo_unsettled=unsettled,
                trusted=trusted,
            )
            if decision := self.decision.update(heard, self.now):
                decisions.append(decision)
        return decisions


def test_barge_in_holds_after_two_of_three_user_periods() -> None:
    script = Script()
    assert script.hear(500) == []
    assert script.hear(10, near_end=SURE, score=5.0) == []
    (decision,) = script.hear(10, near_end=SURE, score=5.0)
    assert decision.decision is Decision.HOLD
    assert decision.reason
    assert decision.metrics["near_end"] == SURE
    assert decision.metrics["threshold"] == pytest.approx(THRESHOLD)
    assert decision.onset == pytest.approx(0.50)
    assert script.decision.pending


def test_barge_in_ignores_one_loud_period() -> None:
    script = Script()
    for _ in range(20):
        assert script.hear(10, near_end=SURE) == []
        assert script.hear(20) == []


def test_barge_in_onset_is_where_the_score_rose() -> None:
    script = Script()
    script.hear(1000)
    script.hear(60, score=0.6)
    (decision,) = script.hear(20, near_end=SURE, score=4.0)
    assert decision.onset == pytest.approx(1.0)


def test_barge_in_onset_of_stop_is_the_start_of_its_s() -> None:
    script = Script()
    script.hear(1000)
    script.hear(110, score=1.5)
    script.hear(70, score=0.0)  # the mouth is closed for the t
    (decision,) = script.hear(20, near_end=SURE, score=4.0)
    assert decision.onset == pytest.approx(1.0)


def test_barge_in_onset_excludes_an_earlier_sound() -> None:
    script = Script()
    script.hear(50, score=4.0)
    script.hear(100, score=0.0)
    (decision,) = script.hear(20, near_end=SURE, score=4.0)
    assert decision.onset == pytest.approx(0.15)


@pytest.mark.parametrize(("settings", "ignored_ms"), [(HOLD, 60), (DUCK, 100)])
def test_barge_in_interrupts_on_a_voice_after_the_reverberation(
    settings: config.HearingConfig, ignored_ms: int
) -> None:
    script = Script(settings)
    (hold,) = script.hear(20, near_end=SURE, voice=0.9)
    (decision,) = script.hear(500, near_end=SURE, voice=0.9)
    assert decision.decision is Decision.INTERRUPT
    assert decision.onset == hold.onset
    waited_ms = decision.metrics["waited_ms"]
    assert ignored_ms + 20 <= waited_ms <= ignored_ms + 70
    assert decision.metrics["evidence"] == 2
    assert hold.metrics["level_dbfs"] == -40.0
    assert not script.decision.pending
    assert script.hear(500, near_end=SURE, voice=0.9) == []  # until it is armed again


def test_barge_in_ignores_reverberation_after_a_hold() -> None:
    script = Script(HOLD)
    script.hear(20, near_end=SURE, voice=0.9)
    (decision,) = script.hear(500, near_end=SURE, voice=0.9, echo_dbfs=-38.0)
    assert decision.decision is Decision.RESUME


def test_barge_in_ignores_masked_periods() -> None:
    script = Script(HOLD)
    script.hear(20, near_end=SURE, voice=0.9)
    assert script.hear(300, near_end=SURE, voice=0.9, unsettled=True) == []
    (decision,) = script.hear(200, near_end=SURE, voice=0.9)
    assert decision.decision is Decision.INTERRUPT
    assert decision.metrics["waited_ms"] > 300


def test_barge_in_ignores_the_lag_of_the_detectors() -> None:
    script = Script(HOLD)
    script.hear(20, near_end=SURE, voice=0.9, level_dbfs=-28.0)
    script.hear(60, near_end=SURE, voice=0.9, level_dbfs=-36.0)  # the room's reverberation
    (decision,) = script.hear(440, near_end=0.9, voice=0.9, level_dbfs=-50.0)
    assert decision.decision is Decision.RESUME


def test_barge_in_with_a_likely_voice_takes_longer() -> None:
    script = Script(HOLD)
    script.hear(20, near_end=SURE, voice=0.2)
    (decision,) = script.hear(500, near_end=SURE, voice=0.2)
    assert decision.decision is Decision.INTERRUPT
    assert decision.metrics["waited_ms"] >= 150


@pytest.mark.parametrize(
    ("speech", "voice"),
    [(SURE, 0.05), (0.3, 0.9)],
    ids=["no voice for the voice detector", "no voice for the classifier"],
)
def test_barge_in_without_a_voice_resumes_in_time(speech: float, voice: float) -> None:
    script = Script()
    script.hear(20, near_end=SURE, voice=voice, speech=speech)
    held_at = script.now
    assert script.hear(490, near_end=SURE, voice=voice, speech=speech) == []
    (decision,) = script.hear(10, near_end=SURE, voice=voice, speech=speech)
    assert decision.decision is Decision.RESUME
    assert script.now == pytest.approx(held_at + 0.5)
    assert not script.decision.pending


def test_barge_in_of_a_voice_masked_by_noise_interrupts() -> None:
    script = Script()
    script.hear(20, near_end=SURE, voice=0.12)
    (decision,) = script.hear(500, near_end=SURE, voice=0.12)
    assert decision.decision is Decision.INTERRUPT
    assert 200 <= decision.metrics["waited_ms"] <= 250
    script = Script()
    script.hear(20, near_end=SURE)
    decisions = []
    for _ in range(10):  # sure, but only briefly, like plates
        decisions += script.hear(50, near_end=SURE) + script.hear(20, near_end=SURE, speech=0.5)
    assert [decision.decision for decision in decisions][:1] == [Decision.RESUME]


@pytest.mark.parametrize(
    ("speech", "score", "level_dbfs", "then"),
    [
        (0.9, 6.0, -40.0, Decision.INTERRUPT),
        (0.5, 6.0, -40.0, Decision.RESUME),  # the speech is over
        (0.9, 0.0, -60.0, Decision.RESUME),  # the speech has faded
        (0.9, 1.0, -40.0, Decision.RESUME),  # no louder than the noise
    ],
)
def test_barge_in_at_the_end_needs_half_if_the_user_still_speaks(
    speech: float, score: float, level_dbfs: float, then: Decision
) -> None:
    script = Script()
    script.hear(20, near_end=SURE)
    script.hear(100)
    assert script.hear(30, voice=0.6, speech=0.8) == []  # one clear chunk
    assert script.hear(340, speech=0.2) == []
    (decision,) = script.hear(30, speech=speech, score=score, level_dbfs=level_dbfs)
    assert decision.decision is then


@pytest.mark.parametrize(
    ("ms", "speech", "score", "then"),
    [
        (200, 0.8, 6.0, Decision.INTERRUPT),
        (100, 0.8, 6.0, Decision.RESUME),  # a knock
        (200, 0.5, 6.0, Decision.RESUME),
        (200, 0.8, 1.0, Decision.RESUME),  # no louder than the noise
    ],
)
def test_barge_in_of_loud_continued_speech_interrupts(
    ms: int, speech: float, score: float, then: Decision
) -> None:
    script = Script()
    script.hear(20, near_end=SURE)
    assert script.hear(500 - ms) == []
    (decision,) = script.hear(ms, speech=speech, score=score)
    assert decision.decision is then
    assert decision.metrics["waited_ms"] == 500
    assert (decision.metrics["speaks_ms"] >= 150) == (then is Decision.INTERRUPT)
    assert (decision.reason == "still talks, well over noise and echo") == (
        then is Decision.INTERRUPT
    )


@pytest.mark.parametrize("voice", [0.12, 0.9], ids=["sure classifier", "both detectors"])
@pytest.mark.parametrize(
    ("score", "then"), [(0.0, Decision.RESUME), (0.9, Decision.RESUME), (1.1, Decision.INTERRUPT)]
)
def test_barge_in_of_a_sound_no_louder_than_noise_resumes(
    voice: float, score: float, then: Decision
) -> None:
    script = Script()
    script.hear(20, near_end=SURE, voice=voice)
    (decision,) = script.hear(500, near_end=SURE, voice=voice, score=score)
    assert decision.decision is then


def test_barge_in_of_a_kitchen_after_a_clatter_resumes() -> None:
    script = Script()
    script.hear(20, near_end=SURE, voice=0.118)
    script.hear(100, near_end=SURE, voice=0.118, score=6.0)
    (decision,) = script.hear(400, near_end=SURE, voice=0.118, score=0.0, level_dbfs=-45.0)
    assert decision.decision is Decision.RESUME
    assert decision.metrics["over_ms"] == 50


def test_barge_in_false_alarm_raises_the_threshold_for_a_while() -> None:
    script = Script()
    script.hear(20, near_end=SURE)
    script.hear(500)
    raised = script.decision.threshold(script.now)
    assert raised > THRESHOLD
    likely = (THRESHOLD + raised) / 2
    assert script.hear(100, near_end=likely) == []
    script.hear(5000)
    assert script.decision.threshold(script.now) == pytest.approx(THRESHOLD)
    assert [decision.decision for decision in script.hear(20, near_end=likely)] == [Decision.HOLD]


def test_barge_in_after_many_false_alarms_still_holds() -> None:
    script = Script()
    for _ in range(50):
        script.hear(520, near_end=0.9999, speech=0.3)
    script.hear(500)
    assert script.decision.threshold(script.now) < SURE
    assert [decision.decision for decision in script.hear(20, near_end=SURE)] == [Decision.HOLD]


def test_barge_in_needs_to_be_armed_trusted_and_enabled() -> None:
    assert Script(armed=False).hear(500, near_end=SURE) == []
    assert Script(config.HearingConfig(barge_in=False)).hear(500, near_end=SURE) == []
    assert Script().hear(500, near_end=SURE, trusted=False) == []
    script = Script()
    script.hear(20, near_end=SURE)
    script.decision.disarm()
    assert not script.decision.pending
    assert script.hear(1000, near_end=SURE, voice=0.9) == []


def test_barge_in_decides_every_hold_within_the_window() -> None:
    random = np.random.default_rng(7)
    for reaction in ("hold", "duck"):
        script = Script(config.HearingConfig(on_suspicion=reaction, decision_window_ms=300))
        held_at = None
        for _ in range(5000):
            said = script.hear(10, float(random.uniform()), float(random.uniform()))
            for decision in said:
                if decision.decision is Decision.HOLD:
                    assert held_at is None
                    held_at = script.now
                else:
                    assert held_at is not None
                    assert script.now - held_at <= 0.3 + 1e-9
                    held_at = None
                    if decision.decision is Decision.INTERRUPT:
                        script.decision.arm(script.now)


def held(settings: config.HearingConfig = HOLD) -> Script:
    """Return a script with a hold at 0.02 s, from the first two periods."""
    script = Script(settings)
    (decision,) = script.hear(20, near_end=SURE, score=5.0)
    assert decision.decision is Decision.HOLD
    return script


def chunks(script: Script, voices: list[float], speech: float) -> list[BargeInDecision]:
    """Feed chunks of 30 ms, with the given classifier value in only one period of each."""
    found = []
    for voice in voices:
        for part in (0.0, 0.0, speech):
            found += script.hear(10, voice=voice, speech=part)
    return found


@pytest.mark.parametrize(("voice", "speech"), [(0.51, 0.7), (0.5, 0.71), (0.15, 0.99), (0.3, 0.9)])
def test_barge_in_ignores_chunks_that_one_detector_rejects(voice: float, speech: float) -> None:
    script = held()
    script.hear(70)
    assert chunks(script, [voice] * 10, speech) == []


@pytest.mark.parametrize(
    ("voice", "speech", "needed"),
    [(0.51, 0.71, 2), (0.5, 0.91, 4), (0.16, 0.91, 4)],
)
def test_barge_in_interrupts_with_the_last_needed_chunk(
    voice: float, speech: float, needed: int
) -> None:
    script = held()
    script.hear(70)
    assert chunks(script, [voice] * (needed - 1), speech) == []
    assert [decision.decision for decision in chunks(script, [voice], speech)] == [
        Decision.INTERRUPT
    ]


def test_barge_in_resumes_exactly_at_the_end_of_the_window() -> None:
    script = held()
    assert script.hear(490) == []
    (decision,) = script.hear(10)
    assert (decision.decision, decision.metrics["waited_ms"]) == (Decision.RESUME, 500.0)


@pytest.mark.parametrize(("periods", "kind"), [(14, Decision.RESUME), (15, Decision.INTERRUPT)])
def test_barge_in_speech_of_150_ms_at_the_end_interrupts(periods: int, kind: Decision) -> None:
    script = held()
    script.hear(500 - periods * 10)
    (decision,) = script.hear(periods * 10, speech=0.71, score=3.1)
    assert decision.decision is kind


def test_barge_in_continues_to_decide_after_the_reply() -> None:
    script = Script(armed=False)
    assert script.hear(100, near_end=SURE) == []
    script.decision.linger()
    (decision,) = script.hear(20, near_end=SURE)
    assert decision.decision is Decision.HOLD


@pytest.mark.parametrize(
    ("alarms", "after_s", "threshold"),
    [
        (1, 0.0, 0.8705),  # 0.6 is 0.405 in log-odds; 1.5 more is 0.87
        (1, 2.0, 0.7605),  # half of it
        (1, 4.0, 0.6),
        (2, 0.0, 0.9612),  # 2.81 more: the rest of the first, and the second
        (9, 0.0, 0.9679),  # never more than 3.0
    ],
)
def test_barge_in_false_alarms_raise_the_threshold_by_1_5(
    alarms: int, after_s: float, threshold: float
) -> None:
    script = Script()
    for _ in range(alarms):
        found: list[BargeInDecision] = []
        while not any(decision.decision is Decision.RESUME for decision in found):
            silent = script.decision.pending
            found += script.hear(10, near_end=0.0 if silent else SURE)
    assert script.decision.threshold(script.now + after_s) == pytest.approx(threshold, abs=1e-3)


def test_barge_in_voice_that_fades_by_15_db_is_over() -> None:
    """Both detectors lag by a tenth of a second after the end of a voice."""
    for level_dbfs, confirmed in ((-54.9, True), (-55.1, False)):
        script = held()
        script.hear(70, level_dbfs=-40.0, echo_dbfs=-80.0)
        found = script.hear(120, voice=0.9, speech=0.9, level_dbfs=level_dbfs, echo_dbfs=-80.0)
        assert any(decision.decision is Decision.INTERRUPT for decision in found) is confirmed
