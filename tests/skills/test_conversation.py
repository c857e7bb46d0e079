"""Functions that end the conversation or repeat a reply, in the core."""

import numpy as np
import pytest

from parleyd.core.events import AfterTool, ButtonPressed, SkillDone
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.client_events import settings_of
from tests.paper_server import RATE_HZ, Paper, settings, tone

QUESTION = "What is the weather like?"


def ask(paper: Paper) -> None:
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION, "slt"))


class Caller:
    """The server's side of a response that is a function call."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        paper.answers = False
        already = len(paper.events(ev.CreateResponse))
        ask(paper)
        paper.wait(lambda: len(paper.events(ev.CreateResponse)) > already)
        create = paper.events(ev.CreateResponse)[-1]
        metadata = settings_of(create)["metadata"]
        self.call = {
            "type": "function_call", "status": "completed", "call_id": f"c{already}",
            "name": "some_skill", "arguments": "{}",
        }  # fmt: skip
        self.id = f"call{already}"
        paper.say(ev.ResponseCreated(response=ev.Response(id=self.id, metadata=metadata)))

    def speak(self, ms: int) -> None:
        data = tone(ms, 880.0).tobytes()
        self.paper.say(ev.AudioDelta(response_id=self.id, item_id=f"i{self.id}", delta=data))
        self.paper.say(ev.AudioDone(response_id=self.id, item_id=f"i{self.id}"))

    def item(self) -> None:
        self.paper.say(ev.OutputItemDone(response_id=self.id, item=self.call))

    def done(self) -> None:
        response = ev.Response(id=self.id, status="completed", output=[self.call])
        self.paper.say(ev.ResponseDone(response=response))

    def returned(self, then: AfterTool) -> None:
        self.paper.say(SkillDone(str(self.call["call_id"]), "done", then))


def outputs(paper: Paper) -> list[str]:
    items = [event.item for event in paper.events(ev.CreateItem)]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def pitch_hz(paper: Paper, since: float) -> float:
    sound = paper.recording.loudspeaker[int(since * RATE_HZ) :].astype(float)
    loud = np.flatnonzero(np.abs(sound) > 500)
    sound = sound[loud[0] : loud[-1]]
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * RATE_HZ / len(sound))


def seconds_heard(paper: Paper, since: float) -> float:
    sound = paper.recording.loudspeaker[int(since * RATE_HZ) :]
    loud = np.flatnonzero(np.abs(sound) > 500)
    return 0.0 if len(loud) == 0 else float(loud[-1] - loud[0]) / RATE_HZ


@pytest.mark.slow
@pytest.mark.parametrize("returns_first", [True, False])
def test_quick_function_is_answered_like_a_slow_one(returns_first: bool) -> None:
    paper = Paper(settings())
    caller = Caller(paper)
    caller.item()
    paper.run(0.05)
    if returns_first:
        caller.returned(AfterTool.RESPOND)
        paper.run(0.05)
    caller.done()
    paper.run(0.05)
    assert paper.speaker.state is State.THINKING
    paper.answers = True
    if not returns_first:
        caller.returned(AfterTool.RESPOND)
    else:
        paper.wait(lambda: len(paper.events(ev.CreateResponse)) == 2)
        paper._answer(paper.events(ev.CreateResponse)[-1], paper.card.now)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    assert len(paper.events(ev.CreateResponse)) == 2


def test_model_continues_once_after_all_functions_return() -> None:
    paper = Paper(settings())
    caller = Caller(paper)
    caller.item()
    caller.returned(AfterTool.RESPOND)  # before the second call arrives
    paper.run(0.05)
    first, caller.call = caller.call, {**caller.call, "call_id": "second"}
    caller.item()
    both = [first, caller.call]
    response = ev.Response(id=caller.id, status="completed", output=both)
    paper.say(ev.ResponseDone(response=response))
    paper.run(0.1)
    assert len(paper.events(ev.CreateResponse)) == 1
    caller.returned(AfterTool.RESPOND)
    paper.run(0.1)
    assert len(paper.events(ev.CreateResponse)) == 2
    kinds = [type(event).__name__ for event in paper.sent if not isinstance(event, ev.AppendAudio)]
    assert kinds[-3:] == ["CreateItem", "CreateItem", "CreateResponse"]


@pytest.mark.slow
@pytest.mark.parametrize("returns_first", [True, False])
def test_say_again_replays_without_a_request_to_the_server(
    returns_first: bool,
) -> None:
    paper = Paper(settings())
    ask(paper)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    caller = Caller(paper)
    began = paper.card.now
    caller.item()
    if returns_first:
        caller.returned(AfterTool.REPLAY)
    caller.done()
    paper.run(0.02)
    if not returns_first:
        caller.returned(AfterTool.REPLAY)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    assert pitch_hz(paper, began) == pytest.approx(440, abs=3)
    assert seconds_heard(paper, began) == pytest.approx(3.0, abs=0.03)
    assert len(paper.events(ev.CreateResponse)) == 2
    assert outputs(paper) == ["done"]


@pytest.mark.slow
def test_say_again_twice_replays_only_the_heard_part_twice() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.until(State.SPEAKING)
    paper.run(1.0)
    paper.say(ButtonPressed())
    paper.run(0.5)
    (truncate,) = paper.events(ev.TruncateItem)
    heard_s = truncate.audio_end_ms / 1000
    for _ in range(2):
        caller = Caller(paper)
        began = paper.card.now
        caller.item()
        caller.returned(AfterTool.REPLAY)
        caller.done()
        paper.until(State.SPEAKING)
        paper.until(State.IDLE)
        assert seconds_heard(paper, began) == pytest.approx(heard_s, abs=0.05)


@pytest.mark.slow
def test_interrupted_replay_sends_nothing_to_the_server() -> None:
    paper = Paper(settings())
    ask(paper)
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    caller = Caller(paper)
    caller.item()
    caller.returned(AfterTool.REPLAY)
    caller.done()
    paper.until(State.SPEAKING)
    paper.run(0.5)
    paper.say(ButtonPressed())
    paper.run(0.1)
    began = paper.card.now
    paper.run(3.0)
    assert seconds_heard(paper, began) == 0.0
    assert paper.events(ev.TruncateItem) == []
    assert paper.events(ev.DeleteItem) == []


def test_say_again_before_the_first_reply_returns_an_error() -> None:
    paper = Paper(settings())
    caller = Caller(paper)
    caller.item()
    caller.returned(AfterTool.REPLAY)
    caller.done()
    paper.run(0.1)
    assert outputs(paper) == ["Nothing was said yet that could be repeated."]
    assert len(paper.events(ev.CreateResponse)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("goodbye_ms", [0, 600])
@pytest.mark.parametrize("returns_first", [True, False])
def test_end_conversation_finishes_the_goodbye_and_rests(
    goodbye_ms: int, returns_first: bool
) -> None:
    paper = Paper(settings(follow_up_s=5.0))
    caller = Caller(paper)
    began = paper.card.now
    if goodbye_ms:
        caller.speak(goodbye_ms)
    caller.item()
    if returns_first:
        caller.returned(AfterTool.END)
        paper.run(0.05)
    caller.done()
    if not returns_first:
        paper.run(0.05)
        caller.returned(AfterTool.END)
    paper.until(State.IDLE)
    paper.run(0.3)
    assert seconds_heard(paper, began) == pytest.approx(goodbye_ms / 1000, abs=0.03)
    assert outputs(paper) == ["done"]
    assert len(paper.events(ev.CreateResponse)) == 1
    assert State.LISTENING not in [s.fields["after"] for s in paper.log_events("state")][-1:]
    paper.answers = True
    ask(paper)
    paper.until(State.SPEAKING)
    paper.until(State.LISTENING)  # the next conversation has its follow-up again


@pytest.mark.slow
def test_end_conversation_after_an_interruption_ends_nothing() -> None:
    paper = Paper(settings(follow_up_s=5.0))
    caller = Caller(paper)
    caller.speak(3000)
    caller.item()
    paper.until(State.SPEAKING)
    paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
    paper.until(State.LISTENING)
    caller.returned(AfterTool.END)
    caller.done()
    paper.answers = True
    paper.until(State.SPEAKING)
    paper.until(State.LISTENING)
