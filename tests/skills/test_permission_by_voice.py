"""A remote function that needs permission, in the core: asked, answered or not, then run."""

import msgspec
import numpy as np
import pytest

from parleyd.core.events import ButtonPressed, MuteSwitched, SetVolume, SynthesizeSpeech
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.client_events import settings_of
from tests.paper_server import Paper, settings, tone

REQUEST = {
    "type": "mcp_approval_request", "id": "ask1", "server_label": "home", "name": "open_door",
    "arguments": '{"door": "front"}',
}  # fmt: skip


class Doorman(Paper):
    """A simulated server: it asks before it opens the door and judges the answer as `yes` says."""

    yes = True
    asked = False
    turns = 0
    request = REQUEST

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
            output, self.asked = [self.request], True
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
        items = [event.item for event in self.events(ev.CreateItem)]
        return [item["approve"] for item in items if item["type"] == "mcp_approval_response"]

    def begin(self) -> "Doorman":
        """The user asks for the door, and Parley asks for permission."""
        self.say(ButtonPressed())
        self.run(0.2)
        self.talker.say(synthesize("Please open the front door.", "slt"))
        self.until(State.SPEAKING)
        return self


@pytest.mark.slow
@pytest.mark.parametrize("follow_up_s", [0.0, 6.0])
@pytest.mark.parametrize("yes", [True, False])
def test_answer_decides_and_the_model_speaks_after_it(yes: bool, follow_up_s: float) -> None:
    paper = Doorman(settings(follow_up_s=follow_up_s))
    paper.yes = yes
    paper.begin()
    paper.until(State.LISTENING)
    assert paper.approvals == []
    paper.talker.say(synthesize("Yes please.", "slt"))
    paper.until(State.SPEAKING)
    assert paper.approvals == [yes]
    judged = settings_of(paper.events(ev.CreateResponse)[1])
    assert judged["input"] == [{"type": "item_reference", "id": "user2"}]
    assert len(paper.events(ev.CreateResponse)) == 3
    (note,) = paper.log_events("permission")
    assert note.fields == {"server": "home", "tool": "open_door", "granted": yes}
    paper.until(State.LISTENING if follow_up_s else State.IDLE)
    assert paper.approvals == [yes]


@pytest.mark.slow
def test_silence_counts_as_no_after_the_no_speech_timeout() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.until(State.LISTENING)
    since = paper.card.now
    paper.until(State.IDLE)
    waited = paper.card.now - since
    assert waited == pytest.approx(paper.settings.turn.no_speech_timeout_s, abs=0.2)
    paper.run(1.0)
    assert paper.approvals == [False]
    assert len(paper.events(ev.CreateResponse)) == 1


@pytest.mark.slow
def test_interrupting_the_question_means_no_and_is_answered() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.run(0.3)
    paper.talker.say(synthesize("Yes yes yes, do it now, go on.", "rms"))
    paper.until(State.LISTENING)
    paper.run(0.1)
    assert paper.approvals == [False]
    paper.until(State.SPEAKING)
    last = settings_of(paper.events(ev.CreateResponse)[-1])
    assert "input" not in last
    assert paper.approvals == [False]


@pytest.mark.slow
def test_button_and_mute_count_as_no() -> None:
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
            assert len(paper.events(ev.CreateResponse)) == 1


@pytest.mark.slow
def test_later_yes_to_another_question_grants_nothing() -> None:
    paper = Doorman(settings())
    paper.begin()
    paper.until(State.LISTENING)
    paper.until(State.IDLE)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("Yes please.", "slt"))
    paper.until(State.SPEAKING)
    assert paper.approvals == [False]


def refusals(paper: Doorman) -> list[object]:
    """The reasons given for requests that were refused without asking the user."""
    return [note.fields.get("reason") for note in paper.log_events("permission")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("voice", "reason"),
    [
        (None, "the offline voice is missing"),
        (np.zeros(0, np.int16), "the offline voice is missing"),
        (np.ones(41 * 24_000, np.int16), "it takes too long to be read aloud"),
    ],
)
def test_question_that_cannot_be_spoken_is_refused(voice: Frames | None, reason: str) -> None:
    paper = Doorman(settings())
    paper.voice = voice
    paper.begin()
    assert paper.approvals == [False]
    assert refusals(paper) == [reason]
    paper.until(State.IDLE)
    assert len(paper.events(ev.CreateResponse)) == 2


def test_question_without_room_in_the_buffer_is_refused() -> None:
    paper = Doorman(settings(capacity_s=30))
    paper.voice = np.ones(35 * 24_000, np.int16)
    paper.begin()
    assert paper.approvals == [False]
    assert refusals(paper) == ["there is no room to play it"]


def test_silent_loudspeaker_asks_and_grants_nothing() -> None:
    paper = Doorman(settings(volume=0))
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("Please open the front door.", "slt"))
    paper.wait(lambda: bool(paper.approvals))
    assert paper.approvals == [False]
    assert refusals(paper) == ["the volume is 0"]
    assert not [effect for _, effect in paper.effects if isinstance(effect, SynthesizeSpeech)]


@pytest.mark.slow
def test_loudspeaker_silent_within_the_question_grants_nothing() -> None:
    paper = Doorman(settings(follow_up_s=6.0))
    paper.begin()
    paper.say(SetVolume(0))
    paper.until(State.IDLE)
    paper.run(0.1)
    assert paper.approvals == [False]
    moves = [note.fields["event"] for note in paper.log_events("state")]
    assert moves[-1] == "reply_finished_last"  # Parley does not listen after it


class _Secretive(Doorman):
    """The user closes the microphone before the server requests anything."""

    def _respond(self, event: ev.CreateResponse) -> None:
        self.card.muted = True
        self.say(MuteSwitched(True))
        super()._respond(event)


def test_closed_microphone_asks_nothing() -> None:
    paper = _Secretive(settings()).begin()
    assert paper.approvals == [False]
    assert refusals(paper) == ["the microphone is closed"]
    assert not [effect for _, effect in paper.effects if isinstance(effect, SynthesizeSpeech)]


@pytest.mark.slow
def test_whole_question_is_played_before_the_answer_counts() -> None:
    paper = Doorman(settings())
    paper.voice = tone(4000, 880.0)
    paper.begin()
    since = paper.card.now
    paper.until(State.LISTENING)
    assert paper.card.now - since == pytest.approx(4.0, abs=0.1)
    (speak,) = [effect for _, effect in paper.effects if isinstance(effect, SynthesizeSpeech)]
    assert "door is quote front unquote" in speak.words


@pytest.mark.slow
def test_arguments_that_do_not_fit_are_refused_and_answered() -> None:
    paper = Doorman(settings())
    note = msgspec.json.encode({"note": "milk " * 150, "amount_eur": 9500}).decode()
    paper.request = {**REQUEST, "arguments": note}
    paper.begin()
    assert paper.approvals == [False]
    assert refusals(paper) == ["it takes too long to be read aloud"]
    paper.until(State.IDLE)
    assert len(paper.events(ev.CreateResponse)) == 2
