"""Interruptions at unusual moments, in simulated time: sent events and indications."""

import msgspec
import pytest

from parleyd.config import TurnConfig
from parleyd.core.events import ButtonPressed, SkillDone
from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.client_events import settings_of
from tests.paper_server import Paper, settings, tone

QUESTION = synthesize("What is the weather like?", "slt")
OBJECTION = synthesize("No wait, tell me about the rain.", "rms")
CALL = {
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "set_volume",
    "arguments": '{"percent": 20}',
}


def asked() -> tuple[Paper, str]:
    """Ask a question; the server generates response `first`, but has sent no audio."""
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)
    paper.wait(lambda: bool(paper.events(ev.CreateResponse)))
    create = paper.events(ev.CreateResponse)[0]
    metadata = settings_of(create)["metadata"]
    paper.say(ev.ResponseCreated(response=ev.Response(id="first", metadata=metadata)))
    return paper, "first"


def end(paper: Paper, response_id: str, status: str, **more: object) -> None:
    response = ev.Response(id=response_id, status=status, **more)  # type: ignore[arg-type]
    paper.say(ev.ResponseDone(response=response))


def kinds(paper: Paper, since: int = 0) -> list[str]:
    names = [type(event).__name__ for event in paper.sent[since:]]
    return [name for name in names if name != "AppendAudio"]


@pytest.mark.slow
@pytest.mark.parametrize("output_before", [True, False])
def test_interruption_during_a_tool_call_answers_only_the_user(
    output_before: bool,
) -> None:
    paper, name = asked()
    paper.say(ev.OutputItemDone(response_id=name, item=CALL))
    end(paper, name, "completed", output=[CALL])
    paper.run(0.1)
    assert paper.speaker.state is State.THINKING
    before = len(paper.sent)
    paper.talker.say(OBJECTION)
    paper.until(State.LISTENING)
    if output_before:
        paper.say(SkillDone("c1", "done"))
    paper.until(State.THINKING)
    if not output_before:
        paper.say(SkillDone("c1", "done"))
    paper.answers = True
    paper.wait(lambda: len(paper.events(ev.CreateResponse)) == 2)
    paper.run(0.2)
    assert sorted(kinds(paper, before)) == ["CommitAudio", "CreateItem", "CreateResponse"]


@pytest.mark.slow
def test_tool_call_of_an_interrupted_response_is_ignored() -> None:
    paper, name = asked()
    paper.talker.say(OBJECTION)
    paper.until(State.LISTENING)
    paper.say(ev.OutputItemDone(response_id=name, item=CALL))
    end(paper, name, "cancelled", output=[CALL])
    paper.until(State.THINKING)
    paper.run(0.1)
    assert paper.skills == []


@pytest.mark.slow
@pytest.mark.parametrize("status", ["cancelled", "completed"])
def test_speech_during_thinking_sends_both_halves(
    status: str,
) -> None:
    """The second half is a separate turn; the first is already in the conversation."""
    paper, name = asked()
    before = len(paper.sent)
    paper.talker.say(OBJECTION)
    paper.until(State.LISTENING)
    assert kinds(paper, before) == ["CancelResponse"]
    assert paper.sent[-1] is not None
    paper.until(State.THINKING)
    paper.run(0.05)
    assert len(paper.events(ev.CreateResponse)) == 1  # the first response is not done
    paper.answers = True
    end(paper, name, status)
    paper.until(State.SPEAKING)
    assert kinds(paper, before) == ["CancelResponse", "CommitAudio", "CreateResponse"]


def test_first_audio_during_speech_loses_no_word() -> None:
    """Sending stops at the first audio; the audio captured since then is sent first."""
    base = settings()
    paper = Paper(msgspec.structs.replace(base, turn=TurnConfig(detection="server_vad")))
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.5)
    paper.say(ev.SpeechStopped(item_id="u1"))
    paper.say(ev.AudioCommitted(item_id="u1"))
    paper.run(0.1)
    paper.say(ev.ResponseCreated(response=ev.Response(id="first")))
    start = len(paper.events(ev.AppendAudio))
    began = paper.card.now
    paper.say(ev.AudioDelta(response_id="first", item_id="i1", delta=tone(400).tobytes()))
    paper.run(0.03)
    assert paper.speaker.state is State.THINKING
    paper.say(ev.SpeechStarted(item_id="u2"))
    paper.run(0.5)
    (truncate,) = paper.events(ev.TruncateItem)
    assert truncate.audio_end_ms <= 20
    assert kinds(paper)[-2:] == ["CancelResponse", "TruncateItem"]
    sent = [event.audio for event in paper.events(ev.AppendAudio)[start:]]
    assert sum(map(len, sent)) / 48 == pytest.approx((paper.card.now - began) * 1000, abs=60)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error"])
def test_busy_server_is_audible_and_shown_until_the_next_turn(code: str) -> None:
    paper = Paper(settings())
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)
    paper.wait(lambda: bool(paper.events(ev.CreateResponse)))
    paper.say(ev.ServerError(error=ev.ErrorDetail(code=code, message="x")))
    paper.run(0.05)
    assert paper.speaker.state is State.IDLE
    (last,) = [e for _, e in paper.effects if hasattr(e, "detail")][-1:]
    assert last.indication is Indication.IDLE  # type: ignore[union-attr]
    assert "wait a moment" in last.detail
    paper.say(ButtonPressed())
    paper.run(0.05)
    paper.say(ButtonPressed())
    paper.run(0.05)
    (last,) = [e for _, e in paper.effects if hasattr(e, "detail")][-1:]
    assert (last.indication, last.detail) == (Indication.IDLE, "")  # type: ignore[union-attr]
