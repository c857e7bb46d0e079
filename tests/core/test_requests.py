"""Requests of other programs: the core begins, refuses and ends turns, and answers each."""

import pytest

from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    CardLost,
    ConnectionDown,
    ListenRequested,
    MuteSwitched,
    RequestAnswered,
    RequestRefusal,
    StopRequested,
)
from parleyd.core.states import Indication, State
from tests.bare_core import BareCore, at


def answer(core: BareCore, event: ListenRequested | StopRequested) -> RequestAnswered:
    core.say(event)
    core.run(0.01)
    (answered,) = [
        effect
        for effect in core.effects
        if isinstance(effect, RequestAnswered) and effect.number == event.number
    ]
    return answered


def test_listen_begins_a_turn_and_stop_ends_it() -> None:
    core = BareCore(at("openai"))
    assert answer(core, ListenRequested(7)) == RequestAnswered(7)
    assert core.speaker.state is State.LISTENING
    assert answer(core, ListenRequested(8)) == RequestAnswered(8)
    assert core.speaker.state is State.LISTENING
    assert answer(core, StopRequested(9)) == RequestAnswered(9)
    assert core.speaker.state is State.IDLE
    assert answer(core, StopRequested(10)) == RequestAnswered(10)
    events = [event.fields["event"] for event in core.log_events("state")]
    assert events == ["listen_command", "stop_command"]


@pytest.mark.parametrize(
    ("event", "refusal", "words"),
    [
        (MuteSwitched(True), RequestRefusal.MUTED, "the mute switch is on"),
        (MuteSwitched(True, "closed by voice"), RequestRefusal.MUTED, "closed by voice"),
        (CardLost("the card is gone", 0), RequestRefusal.NO_CARD, "the card is gone"),
        (ConnectionDown("the key is wrong", True), RequestRefusal.SERVER, "the key is wrong"),
    ],
)
def test_listen_is_refused_with_the_reason(
    event: MuteSwitched | CardLost | ConnectionDown, refusal: RequestRefusal, words: str
) -> None:
    core = BareCore(at("openai"))
    core.say(event)
    answered = answer(core, ListenRequested(1))
    assert answered.refusal is refusal
    assert words in answered.reason
    assert core.speaker.state is State.IDLE


def test_stop_silences_an_answer_in_the_same_period() -> None:
    core = BareCore(at("openai"))
    core.ask("r1")
    core.sound("r1", 3000)
    core.until(State.SPEAKING)
    core.run(0.5)
    stopped_at = core.now
    answer(core, StopRequested(1))
    assert core.speaker.state is State.IDLE
    core.run(2.0)
    assert core.heard_ms(since=stopped_at + 0.02) == 0


def test_listen_interrupts_an_answer() -> None:
    core = BareCore(at("openai"))
    core.ask("r1")
    core.sound("r1", 3000)
    core.until(State.SPEAKING)
    answer(core, ListenRequested(1))
    assert core.speaker.state is State.LISTENING
    assert core.log_events("interrupted")


@pytest.mark.parametrize("event", [StopRequested(1), ListenRequested(1)])
def test_request_stops_a_ringing_alarm(event: ListenRequested | StopRequested) -> None:
    core = BareCore(at("openai"))
    core.say(AlarmDue("eggs", 1))
    core.wait(lambda: core.shown[-1] is Indication.RINGING)
    answer(core, event)
    assert [e.fields["by"] for e in core.log_events("alarm_dismissed")] == ["command"]
    core.run(0.1)
    assert core.shown[-1] is not Indication.RINGING
    assert (core.speaker.state is State.LISTENING) == isinstance(event, ListenRequested)


def test_stop_does_not_open_a_muted_microphone_as_the_button_does() -> None:
    core = BareCore(at("openai"))
    core.say(MuteSwitched(True, "closed by voice"))
    core.run(0.1)
    before = len(core.effects)
    answer(core, StopRequested(1))
    assert [type(effect) for effect in core.effects[before:]] == [RequestAnswered]
    core.say(ButtonPressed())
    core.run(0.1)
    assert "OpenMicrophone" in {type(effect).__name__ for effect in core.effects}
