"""The speaker continues after any failure of the hearing, wake engine or detectors."""

import logging
from collections.abc import Callable
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from parleyd.app.effect_dispatcher import EffectDispatcher, EffectHost
from parleyd.core.events import AlarmDue, ButtonPressed, Effect, MicPeriod, Show, WakeRenewed
from parleyd.core.states import Indication, State
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.background_voices import BackgroundVoices
from parleyd.hearing.barge_in import BargeInDetector
from parleyd.hearing.calibration import Calibration
from parleyd.hearing.canceller_watch import CancellerWatch
from parleyd.hearing.digital_silence import DigitalSilence
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.echo_canceller import EchoCanceller
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.endpointing import Endpointer
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.hearing.fuse import ComponentFault
from parleyd.hearing.misalignment import Misalignment
from parleyd.hearing.near_end import NearEndDetector
from parleyd.hearing.own_voice import OwnVoiceSearch
from parleyd.hearing.pitch import Pitch
from parleyd.hearing.reference import Reference
from parleyd.hearing.residual_echo import ResidualEchoEstimator
from parleyd.hearing.user_gate import UserGate
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.playback.lead import PlaybackLead
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from parleyd.wake.gate import Gate
from tests.paper_server import Paper, WakeOnDemand, settings, tone

pytestmark = pytest.mark.slow

QUESTION = synthesize("What is the weather like?", "slt")
OBJECTION = synthesize("No wait, tell me about the rain.", "rms")

PARTS = [
    (Alignment, "process"),
    (Alignment, "dropped"),
    (EchoCanceller, "process"),
    (ResidualEchoEstimator, "excess_db"),
    (Pitch, "cues"),
    (NearEndDetector, "process"),
    (VoiceActivityDetector, "process"),
    (VoiceActivityDetector, "decay_state"),
    (EchoControl, "process"),
    (EchoControl, "reset_detectors"),
    (Reference, "take"),
    (Reference, "written"),
    (Reference, "dropped"),
    (DigitalSilence, "update"),
    (Gate, "process"),
    (BargeInDetector, "update"),
    (Duplex, "update"),
    (Endpointer, "update"),
    (Misalignment, "update"),
    (OwnVoiceSearch, "push"),
    (CancellerWatch, "due"),
    (BackgroundVoices, "update"),
    (BackgroundVoices, "turn_begins"),
    (BackgroundVoices, "reply_begins"),
    (BackgroundVoices, "rest"),
    (UserGate, "update"),
    (UserGate, "turn_begins"),
    (BargeInDetector, "arm"),
]


class Broken(Exception):
    """An unexpected error of a library."""


def breaks(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str, *, times: int = 10**9
) -> list[int]:
    """Let the method raise for the given number of calls; return a list that grows with them."""
    sound: Callable[..., object] = getattr(kind, method)
    calls: list[int] = []

    def broken(self: object, *arguments: object, **named: object) -> object:
        if len(calls) >= times:
            return sound(self, *arguments, **named)
        calls.append(1)
        raise Broken(method)

    monkeypatch.setattr(kind, method, broken)
    return calls


def faults(paper: Paper) -> list[ComponentFault]:
    return [effect for _, effect in paper.effects if isinstance(effect, ComponentFault)]


def last_shown(paper: Paper) -> Show:
    return [effect for _, effect in paper.effects if isinstance(effect, Show)][-1]


def ask(paper: Paper) -> None:
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)


@pytest.mark.parametrize(("kind", "method"), PARTS)
def test_speaker_continues_when_a_part_always_raises(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    """The turn starts by button and by wake word, and each state still ends."""
    wake_engine, base = WakeOnDemand(), settings()
    turn = msgspec.structs.replace(base.turn, no_speech_timeout_s=2.0)
    paper = Paper(msgspec.structs.replace(base, turn=turn), wake_engine)
    paper.answers = False
    calls = breaks(monkeypatch, kind, method)
    paper.say(ButtonPressed())
    paper.run(0.3)
    assert paper.speaker.state is State.LISTENING
    paper.run(0.5)
    paper.say(ButtonPressed())
    paper.run(0.1)
    assert paper.speaker.state is State.IDLE
    if kind is not Gate:
        wake_engine.next = "hey_test"
        paper.run(0.1)
        assert paper.speaker.state is State.LISTENING
    paper.until(State.IDLE)  # every state ends
    assert len(calls) <= 4  # in 3 s: the part is tried again, but not at every period
    assert all(isinstance(fault.error, Broken) for fault in faults(paper))


@pytest.mark.parametrize(("kind", "method"), PARTS)
def test_speaker_in_a_reply_continues_when_a_part_raises(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine, reply=tone(6000))
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(0.5)
    calls = breaks(monkeypatch, kind, method)
    paper.talker.say(OBJECTION)  # it may be detected or not
    paper.run(2.0)
    paper.talker.say(np.zeros(160, np.int16))
    if kind is Gate:
        paper.say(ButtonPressed())
    else:
        wake_engine.next = "stop"
    paper.run(0.2)
    assert paper.speaker.state in (State.IDLE, State.LISTENING, State.THINKING)
    paper.until(State.IDLE, within_s=60.0)
    assert len(faults(paper)) == len(calls)
    assert paper.speaker.readings().heard is not None


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        *(
            (Alignment, "process"),
            (ResidualEchoEstimator, "excess_db"),
            (VoiceActivityDetector, "skip"),
        ),
        *(
            (EchoControl, "process"),
            (Reference, "take"),
            (BargeInDetector, "update"),
            (Duplex, "update"),
        ),
    ],
)
def test_speaker_hears_again_after_a_part_raised_once(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    """The part is reset, and a voice interrupts the next reply as before."""
    paper = Paper(settings())
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(1.5)
    breaks(monkeypatch, kind, method, times=1)
    paper.run(0.05)
    (fault,) = faults(paper)
    assert str(fault.error) == method
    assert last_shown(paper) == Show(Indication.SPEAKING, fault.means)
    paper.until(State.IDLE)
    paper.reply = tone(5000)
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(2.0)
    paper.talker.say(OBJECTION)
    paper.wait(lambda: bool(paper.log_events("interrupted")), within_s=1.5)
    assert len(faults(paper)) == 1


def test_failure_is_shown_until_the_part_worked_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = Paper(settings())
    breaks(monkeypatch, ResidualEchoEstimator, "excess_db", times=1)
    paper.run(59.0)
    assert last_shown(paper).detail != ""
    paper.run(2.0)
    assert last_shown(paper) == Show(Indication.IDLE, "")
    assert len(paper.log_events("hearing_well")) == 1


@pytest.mark.parametrize(
    ("kind", "method"), [(EchoCanceller, "process"), (EchoControl, "process"), (Reference, "take")]
)
def test_echo_is_not_sent_while_the_canceller_fails(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(follow_up_s=3.0), wake_engine, echo_gain_db=-6.0, reply=tone(3000))
    ask(paper)
    paper.until(State.SPEAKING)
    breaks(monkeypatch, kind, method)
    paper.run(1.0)
    before = len(paper.events(ev.AppendAudio))
    wake_engine.next = "hey_test"  # during the reply, so its pre-roll contains the reply's echo
    paper.run(0.4)
    assert paper.speaker.state is State.LISTENING
    sent = b"".join(e.audio for e in paper.events(ev.AppendAudio)[before:])
    assert len(sent) > 0.3 * 48_000
    assert np.abs(np.frombuffer(sent, "<i2").astype(int)).max() < 50  # the echo's peak is 4500


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (EchoCanceller, "process"),
        (ResidualEchoEstimator, "excess_db"),
        (VoiceActivityDetector, "process"),
        (Reference, "take"),
    ],
)
def test_reply_is_half_duplex_while_a_part_of_hearing_fails(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    """Neither the echo nor a user holds the reply, because they cannot be distinguished."""
    paper = Paper(settings(), echo_gain_db=-6.0)
    paper.reply = np.clip(
        np.random.default_rng(5).normal(0, 6000, 24_000 * 4), -32768, 32767
    ).astype(np.int16)
    breaks(monkeypatch, kind, method)
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(1.5)
    paper.talker.say(OBJECTION)
    paper.until(State.IDLE)
    assert paper.log_events("hold") == []


def test_reply_held_continues_when_the_decision_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper(settings(), reply=tone(6000))
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(1.0)
    paper.talker.say(OBJECTION)
    paper.until(State.BARGE_IN)
    breaks(monkeypatch, BargeInDetector, "update")
    paper.until(State.SPEAKING, within_s=1.0)
    paper.until(State.IDLE)


def test_alarm_held_continues_when_the_decision_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper(settings())
    paper.say(AlarmDue("eggs"))
    paper.run(3.5)  # the first round, from which the canceller learns
    paper.talker.say(OBJECTION)
    paper.wait(lambda: bool(paper.log_events("hold")), within_s=2.0)
    breaks(monkeypatch, BargeInDetector, "update")
    paper.run(0.1)
    before = len(paper.steps)
    paper.run(6.0)
    played = np.frombuffer(b"".join(data for _, data in paper.steps[before:]), np.int16)
    assert np.count_nonzero(np.abs(played.astype(int)) > 1000) > 48_000


def test_hearing_non_finite_numbers_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters and networks would store such numbers forever, and report silence."""
    for kind, method, rotten in (
        (NearEndDetector, "process", SimpleNamespace(voice=float("nan"), speech=0.0)),
        (ResidualEchoEstimator, "excess_db", float("inf")),
        (VoiceActivityDetector, "process", [float("nan")]),
    ):
        paper = Paper(settings())
        paper.say(ButtonPressed())
        paper.run(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(kind, method, lambda *_, rotten=rotten: rotten)
            paper.run(0.1)
        (fault,) = faults(paper)
        assert isinstance(fault.error, ArithmeticError)


def test_canceller_with_invalid_weights_is_replaced() -> None:
    paper = Paper(settings(), reply=tone(5000))
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(1.0)
    canceller = paper.speaker._front_end._hearing._canceller
    assert canceller is not None
    canceller._weights[:] = np.nan
    paper.run(0.1)
    assert [fault.part for fault in faults(paper)] == ["echo canceller"]
    paper.run(2.0)
    assert paper.speaker._front_end._hearing._canceller is not canceller
    heard = paper.speaker.readings().heard
    assert heard is not None
    assert np.isfinite(heard.echo_dbfs)


def test_endpointing_works_while_the_voice_detector_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, VoiceActivityDetector, "process")
    paper = Paper(settings())
    ask(paper)
    paper.until(State.THINKING, within_s=4.0)


def test_calibration_that_fails_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, Calibration, "update")
    front_end = AudioFrontEnd(settings(), None, PlaybackLead(40))
    front_end.calibrate(-20.0, 0.0)
    silence = np.zeros(160, np.int16)
    for tick in range(50):
        front_end.listen(silence, tick / 100, speaking=False, attentive=False)
    assert len(front_end.faults) == 1


@pytest.mark.parametrize("frames", [np.zeros(0, np.int16), np.zeros(159, np.int16)])
def test_speaker_with_a_period_of_another_length_continues(frames: Frames) -> None:
    paper = Paper(settings())
    for period in range(300):
        paper.tick(MicPeriod(frames, 1920), 1000.0 + period / 100)
    assert 1 <= len(faults(paper)) <= 3


# --- the wake engine --------------------------------------------------------------------


class Raising(WakeOnDemand):
    """A wake engine that always raises."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        self.calls += 1
        raise RuntimeError("invoke failed")


def test_wake_engine_that_fails_is_shown_and_the_button_works() -> None:
    engine = Raising()
    paper = Paper(settings(), engine)
    assert [fault.part for fault in faults(paper)] == ["wake engine"]
    assert last_shown(paper) == Show(Indication.ERROR, "no wake word is heard: press the button")
    ask(paper)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    paper.run(110.0)
    assert engine.calls <= 8


def test_wake_engine_renewed_is_used_at_once() -> None:
    paper, wake_engine = Paper(settings(), Raising()), WakeOnDemand()
    paper.say(WakeRenewed(wake_engine))
    wake_engine.next = "hey_test"
    paper.run(0.05)
    assert paper.speaker.state is State.LISTENING
    paper.until(State.IDLE)
    assert paper.shown[-1] is Indication.IDLE


# --- the log ----------------------------------------------------------------------------


def test_log_of_a_failing_part_has_one_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A part that fails for a day logs one traceback, and then increasingly rare lines."""
    nothing = SimpleNamespace()
    renewed: list[ComponentFault] = []

    class Host(EffectHost):
        def fault(self, fault: ComponentFault) -> None:
            super().fault(fault)
            renewed.append(fault)

    dispatcher = EffectDispatcher(
        nothing,  # type: ignore[arg-type]
        nothing,  # type: ignore[arg-type]
        lambda event: None,
        Host(),
    )
    paper = Paper(settings(), Raising())
    for period in range(24 * 60):  # once a minute, like the tries of the fuse
        paper.tick(MicPeriod(np.zeros(160, np.int16), 1920), 1000.0 + period * 61)
    effects: list[Effect] = list(faults(paper))
    assert len(effects) > 1000
    caplog.set_level(logging.INFO)
    dispatcher.dispatch(effects)
    assert len(renewed) == len(effects)
    assert 8 <= len(caplog.records) <= 12
    assert caplog.text.count("Traceback") == 1
    assert "RuntimeError: invoke failed" in caplog.text
    assert "wake engine" in caplog.records[0].getMessage()
