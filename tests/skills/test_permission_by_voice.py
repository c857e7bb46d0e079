"""A remote function that needs a yes, as the core lives it: asked, answered or not, then run."""

import msgspec
import pytest
from paper_server import Paper, settings, tone

from parleyd.boundary import ButtonPressed, MuteSwitched
from parleyd.realtime import events as ev
from parleyd.room.clips import synthesize
from parleyd.states import State

REQUEST = {
    "type": "mcp_approval_request", "id": "ask1", "server_label": "home", "name": "open_door",
    "arguments": '{"door": "front"}',
}  # fmt: skip


class Doorman(Paper):
    """A server on paper that asks before it opens the door, and judges as `yes` says."""

    yes = True
    asked = False
    turns = 0

    def _answer(self, event: ev.ClientEvent, now: float) -> None:
        match event:
            case ev.CommitAudio():
                self.turns += 1
                self.say(ev.AudioCommitted(item_id=f"user{self.turns}"))
            case ev.CreateItem() if event.item.get("approve"):
                self.say(ev.McpCallBegun(item_id="call1"))
                self.say(ev.McpCallCompleted(item_id="call1"))
            case ev.CreateResponse():
                self._respond(event)

    def _respond(self, event: ev.CreateResponse) -> None:
        assert isinstance(event.response, dict)
        given = event.response.get("input")
        if given is None and self.asked:
            super()._answer(event, self.card.now)
            return
        self.responses += 1
        name = f"r{self.responses}"
        output: list[ev.Json] = []
        response = ev.Response(id=name, metadata=event.response["metadata"])
        self.say(ev.ResponseCreated(response=response))
        if given is None:
            output, self.asked = [REQUEST], True
        elif given == []:
            data = tone(1500, 880.0).tobytes()
            self.say(ev.AudioDelta(response_id=name, item_id=f"i{name}", delta=data))
            self.say(ev.AudioDone(response_id=name, item_id=f"i{name}"))
        else:
            arguments = msgspec.json.encode({"granted": self.yes}).decode()
            output = [{
                "type": "function_call", "status": "completed", "call_id": "v",
                "name": "report_permission", "arguments": arguments,
            }]  # fmt: skip
        for item in output:
            self.say(ev.OutputItemDone(response_id=name, item=item))
        response = ev.Response(id=name, status="completed", output=output)
        self.say(ev.ResponseDone(response=response))

    @property
    def approvals(self) -> list[bool]:
        items = [event.item for event in self.events(ev.CreateItem)]  # type: ignore[attr-defined]
        return [item["approve"] for item in items if item["type"] == "mcp_approval_response"]

    def begin(self) -> "Doorman":
        """The user asks for the door, Parley asks back."""
        self.say(ButtonPressed())
        self.run(0.2)
        self.talker.say(synthesize("Please open the front door.", "slt"))
        self.until(State.SPEAKING)
        return self


@pytest.mark.parametrize("follow_up_s", [0.0, 6.0])
@pytest.mark.parametrize("yes", [True, False])
def test_the_answer_decides_and_the_model_speaks_after_it(yes: bool, follow_up_s: float) -> None:
    paper = Doorman(settings(follow_up_s=follow_up_s))
    paper.yes = yes
    paper.begin()
    paper.until(State.LISTENING)
    assert paper.approvals == []
    paper.talker.say(synthesize("Yes please.", "slt"))
    paper.until(State.SPEAKING)
    assert paper.approvals == [yes]
    judged = paper.events(ev.CreateResponse)[2].response  # type: ignore[attr-defined]
    assert judged["input"] == [{"type": "item_reference", "id": "user2"}]
    assert len(paper.events(ev.CreateResponse)) == 4
    (note,) = paper.notes("permission")
    assert note.fields == {"server": "home", "tool": "open_door", "granted": yes}
    paper.until(State.LISTENING if follow_up_s else State.IDLE)
    assert paper.approvals == [yes]


def test_silence_is_a_no_after_the_time_in_which_a_first_word_is_expected() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.until(State.LISTENING)
    since = paper.card.now
    paper.until(State.IDLE)
    waited = paper.card.now - since
    assert waited == pytest.approx(paper.settings.turn.nothing_said_s, abs=0.2)
    paper.run(1.0)
    assert paper.approvals == [False]
    assert len(paper.events(ev.CreateResponse)) == 2


def test_who_interrupts_the_question_says_no_and_is_answered() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.run(0.3)
    paper.talker.say(synthesize("Yes yes yes, do it now, go on.", "rms"))
    paper.until(State.LISTENING)
    paper.run(0.1)
    assert paper.approvals == [False]
    paper.until(State.SPEAKING)
    last = paper.events(ev.CreateResponse)[-1].response  # type: ignore[attr-defined]
    assert "input" not in last
    assert paper.approvals == [False]


def test_button_and_mute_are_a_no() -> None:
    for event in (ButtonPressed(), MuteSwitched(True)):
        for state in (State.SPEAKING, State.LISTENING):
            paper = Doorman(settings())
            paper.begin()
            paper.until(state)
            paper.card.muted = isinstance(event, MuteSwitched)
            paper.say(event)
            paper.until(State.IDLE)
            paper.run(0.1)
            assert paper.approvals == [False]
            assert len(paper.events(ev.CreateResponse)) == 2


def test_a_yes_to_something_else_later_opens_nothing() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.until(State.LISTENING)
    paper.until(State.IDLE)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("Yes please.", "slt"))
    paper.until(State.SPEAKING)
    assert paper.approvals == [False]
