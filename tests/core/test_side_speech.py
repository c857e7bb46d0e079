"""`say` in the model's voice: a response outside the conversation, played as an announcement."""

import pytest

from parleyd.core.events import (
    ConnectionDown,
    ConnectionUp,
    ModelSpeechRequested,
    RequestAnswered,
    RequestRefusal,
    SetConnectionWanted,
    StopRequested,
)
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.realtime.side_speech import KEY, MOST_WAITING, WITHIN_S
from tests.bare_core import BareCore, at, tone
from tests.client_events import settings_of
from tests.openai_types import assert_valid


def answers(core: BareCore) -> dict[int, RequestAnswered]:
    found = [effect for effect in core.effects if isinstance(effect, RequestAnswered)]
    assert len(found) == len({answer.number for answer in found}), "answered twice"
    return {answer.number: answer for answer in found}


def asides(core: BareCore) -> list[ev.CreateResponse]:
    creates = core.events(ev.CreateResponse)
    return [create for create in creates if settings_of(create).get("conversation") == "none"]


def begin(core: BareCore, name: str, place: int = -1) -> None:
    metadata = settings_of(asides(core)[place])["metadata"]
    core.say(ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata)))


def sound(core: BareCore, name: str, length_ms: int) -> None:
    core.say(ev.AudioDelta(response_id=name, item_id="s", delta=tone(length_ms)))


def test_model_speaks_outside_the_conversation() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(5, "Dinner is ready."))
    core.run(0.02)
    (create,) = asides(core)
    assert_valid(create)
    asked = settings_of(create)
    assert asked["input"] == []
    assert asked["tools"] == []
    assert asked["instructions"].endswith("Dinner is ready.")
    begin(core, "s1")
    sound(core, "s1", 400)
    sound(core, "s1", 200)
    core.run(0.5)
    assert core.heard_ms() == 0  # it is complete before any of it is played
    core.end("s1", usage={"input_tokens": 9, "output_tokens": 30})
    core.run(1.0)
    assert answers(core) == {5: RequestAnswered(5)}
    assert core.heard_ms() == pytest.approx(600, abs=10)
    assert [event.fields["turn"] for event in core.log_events("usage")] == [0]
    assert core.log_events("state") == []
    assert [type(event).__name__ for event in core.sent] == ["SessionUpdate", "CreateResponse"]


def test_model_speech_waits_for_the_answer_and_changes_nothing_of_it() -> None:
    core = BareCore(at("openai"))
    core.ask("r1")
    core.say(ModelSpeechRequested(5, "Dinner"))
    core.sound("r1", 800)
    core.run(0.2)
    assert asides(core) == []
    core.end("r1")
    core.run(0.05)
    begin(core, "s1")
    sound(core, "s1", 500)
    core.end("s1")
    core.until(State.IDLE)
    (turn,) = core.log_events("turn")
    assert turn.fields["heard_ms"] == pytest.approx(800, abs=5)
    core.run(1.0)
    assert answers(core) == {5: RequestAnswered(5)}


def test_turn_during_model_speech_is_answered() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(5, "Dinner"))
    core.run(0.02)
    begin(core, "s1")
    core.ask("r1")
    sound(core, "s1", 300)
    core.sound("r1", 500)
    core.end("s1")
    core.end("r1")
    core.until(State.SPEAKING)
    core.until(State.IDLE)
    assert answers(core) == {}
    core.run(1.0)
    assert answers(core) == {5: RequestAnswered(5)}
    assert core.heard_ms() == pytest.approx(800, abs=20)


def test_model_speech_opens_a_connection_that_rests() -> None:
    settings = at("openai")
    core = BareCore(settings, connected=False)
    core.say(ConnectionDown("no network"))
    core.say(ModelSpeechRequested(5, "Dinner"))
    core.run(0.02)
    assert SetConnectionWanted(True) in core.effects
    core.say(ConnectionUp())
    core.say(ev.SessionCreated())
    core.run(0.05)
    core.say(ev.SessionUpdated())
    core.run(0.05)
    assert len(asides(core)) == 1


def test_model_speech_that_never_comes_is_refused_in_time() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(5, "Dinner"))
    core.run(0.02)
    begin(core, "s1")
    core.run(WITHIN_S + 0.1)
    assert answers(core)[5].refusal is RequestRefusal.VOICE
    assert core.events(ev.CancelResponse)[-1].response_id == "s1"
    sound(core, "s1", 300)  # late
    core.end("s1", status="cancelled")
    core.run(1.0)
    assert core.heard_ms() == 0
    assert core.speaker.state is State.IDLE


@pytest.mark.parametrize("server", ["embedded", "xai", "localai", "compatible"])
def test_server_without_side_speech_refuses(server: str) -> None:
    core = BareCore(at(server))
    core.say(ModelSpeechRequested(5, "Dinner"))
    core.run(0.02)
    assert answers(core)[5].refusal is RequestRefusal.VOICE
    assert "embedded voice" in answers(core)[5].reason
    assert asides(core) == []


def test_refused_connection_and_lost_socket_refuse_speech() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(1, "Dinner"))
    core.run(0.02)
    core.say(ConnectionDown("the key is wrong", True))
    core.say(ModelSpeechRequested(2, "Dinner"))
    core.run(0.02)
    assert {n: a.refusal for n, a in answers(core).items()} == {
        1: RequestRefusal.VOICE,
        2: RequestRefusal.SERVER,
    }


def test_error_about_the_request_refuses_it() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(1, "Dinner"))
    core.run(0.02)
    detail = ev.ErrorDetail(message="no", code="invalid_value", event_id=asides(core)[0].event_id)
    core.say(ev.ServerError(error=detail))
    core.run(0.02)
    assert answers(core)[1].refusal is RequestRefusal.VOICE
    assert core.log_events("server_error") == []


def test_texts_wait_in_order_and_only_a_few() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(0, "first"))
    core.run(0.02)
    for number in range(1, MOST_WAITING + 2):
        core.say(ModelSpeechRequested(number, "next"))
    core.run(0.02)
    assert list(answers(core)) == [MOST_WAITING + 1]
    begin(core, "s0")
    core.end("s0")  # without sound
    core.run(0.02)
    assert answers(core)[0].refusal is RequestRefusal.VOICE
    assert len(asides(core)) == 2


def test_stop_drops_texts_that_the_model_has_not_spoken() -> None:
    core = BareCore(at("openai"))
    core.say(ModelSpeechRequested(1, "first"))
    core.run(0.02)
    begin(core, "s1")
    core.say(ModelSpeechRequested(2, "second"))
    core.say(StopRequested(9))
    core.run(0.02)
    assert {n: a.refusal for n, a in answers(core).items()} == {
        1: RequestRefusal.STOPPED,
        2: RequestRefusal.STOPPED,
        9: None,
    }
    assert core.events(ev.CancelResponse)[-1].response_id == "s1"
    sound(core, "s1", 300)
    core.end("s1", status="cancelled")
    core.ask("r1")
    core.sound("r1", 400)
    core.end("r1")
    core.until(State.SPEAKING)
    core.until(State.IDLE)
    assert core.heard_ms() == pytest.approx(400, abs=20)


def test_key_of_the_metadata_is_not_a_turns() -> None:
    from parleyd.realtime.responses import TURN_KEY

    assert KEY != TURN_KEY
