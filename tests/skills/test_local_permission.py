"""A function of Parley that needs a spoken yes, with servers that can judge it and others."""

import msgspec
import pytest

from parleyd.config import Config
from parleyd.core.events import (
    AnswerRecognized,
    ButtonPressed,
    ConnectionDown,
    MuteSwitched,
    RecognizeAnswer,
    SkillDone,
    ToolsChanged,
)
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.realtime.guards import Guard
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_RATE_HZ
from tests.client_events import settings_of
from tests.paper_server import Paper, settings

NAME = "home_HassTurnOff"
TOOLS = [{"type": "function", "name": NAME, "description": "Unlock.", "parameters": {}}]
DOOR = '{"name": "Front door"}'
pytestmark = pytest.mark.slow


def at(server: str) -> Config:
    base = settings()
    return msgspec.structs.replace(
        base, realtime=msgspec.structs.replace(base.realtime, server=server, url="ws://nas/v1")
    )


class Locksmith(Paper):
    """Calls the function in its first response, judges as `yes` says, and speaks otherwise."""

    yes = True
    calls = 1
    turns = 0
    recognizes: bool | None = True

    def offer(self) -> "Locksmith":
        guards = {NAME: Guard("home", "HassTurnOff", lambda arguments: "name" in arguments)}
        self.say(ToolsChanged(TOOLS, guards, "About the home."))
        self.run(0.05)
        return self

    def ask(self) -> "Locksmith":
        """The user asks for the door, and Parley asks for permission."""
        self.offer()
        self.say(ButtonPressed())
        self.run(0.2)
        self.talker.say(synthesize("Please unlock the front door.", "slt"))
        self.until(State.SPEAKING)
        return self

    def answer(self) -> None:
        self.until(State.LISTENING)
        self.talker.say(synthesize("Yes please.", "slt"))
        self.until(State.THINKING)

    def tick(self, mic, now):  # type: ignore[no-untyped-def]
        step = super().tick(mic, now)
        for effect in step.effects:
            if isinstance(effect, RecognizeAnswer) and self.recognizes is not None:
                self.say(AnswerRecognized(effect.number, self.recognizes))
        return step

    def _answer(self, event: ev.ClientEvent, now: float) -> None:
        match event:
            case ev.CommitAudio():
                self.turns += 1
                self.say(ev.AudioCommitted(item_id=f"user{self.turns}"))
            case ev.CreateResponse():
                assert isinstance(event.response, dict)
                if event.response.get("input") is not None:
                    granted = '{"granted": true}' if self.yes else '{"granted": false}'
                    self._call(event, "report_permission", granted)
                elif self.calls:
                    self.calls -= 1
                    self._call(event, NAME, DOOR)
                else:
                    super()._answer(event, now)

    def _call(self, event: ev.CreateResponse, name: str, arguments: str) -> None:
        self.responses += 1
        assert isinstance(event.response, dict)
        metadata = event.response["metadata"]
        number = f"r{self.responses}"
        self.say(ev.ResponseCreated(response=ev.Response(id=number, metadata=metadata)))
        item = {
            "type": "function_call", "status": "completed", "id": f"i{number}",
            "call_id": f"c{number}", "name": name, "arguments": arguments,
        }  # fmt: skip
        self.say(ev.OutputItemDone(response_id=number, item=item))
        done = ev.Response(id=number, status="completed", output=[item])
        self.say(ev.ResponseDone(response=done))

    @property
    def outputs(self) -> list[str]:
        items = [event.item for event in self.events(ev.CreateItem)]
        return [item["output"] for item in items if item["type"] == "function_call_output"]

    @property
    def asked(self) -> list[RecognizeAnswer]:
        return [effect for _, effect in self.effects if isinstance(effect, RecognizeAnswer)]

    @property
    def decisions(self) -> list[object]:
        return [note.fields["granted"] for note in self.log_events("permission")]


@pytest.mark.parametrize("server", ["openai", "embedded", "xai", "localai", "compatible"])
def test_yes_runs_the_function_once_with_every_server(server: str) -> None:
    paper = Locksmith(at(server)).ask()
    assert paper.skills == []
    paper.answer()
    paper.wait(lambda: bool(paper.skills))
    (call,) = paper.skills
    assert (call.name, call.arguments) == (NAME, {"name": "Front door"})
    paper.say(SkillDone(call.call_id, "It is unlocked."))
    paper.until(State.SPEAKING)
    assert paper.outputs == ["It is unlocked."]
    assert paper.decisions == [True]
    assert len(paper.skills) == 1


@pytest.mark.parametrize("server", ["openai", "embedded", "xai", "localai", "compatible"])
def test_no_reaches_the_model_and_runs_nothing(server: str) -> None:
    paper = Locksmith(at(server))
    paper.yes = paper.recognizes = False
    paper.ask()
    paper.answer()
    paper.until(State.SPEAKING)
    assert paper.outputs == ["This was not done: the user did not say yes."]
    assert paper.decisions == [False]
    assert paper.skills == []


def test_answer_stays_on_the_device_where_the_server_cannot_judge() -> None:
    paper = Locksmith(at("localai")).ask()
    paper.until(State.LISTENING)
    before = len(paper.events(ev.AppendAudio))
    paper.answer()
    paper.wait(lambda: bool(paper.skills))
    assert len(paper.events(ev.AppendAudio)) == before
    (asked,) = paper.asked
    assert 0.8 < len(asked.frames) / MIC_RATE_HZ <= 3.0
    creates = [settings_of(event) for event in paper.events(ev.CreateResponse)]
    assert not [one for one in creates if "input" in one]


def test_device_finds_the_end_of_an_answer_that_the_server_does_not_hear() -> None:
    """With turns of the server, too: for an answer it hears nothing, and can end nothing."""
    base = at("localai")
    paper = Locksmith(
        msgspec.structs.replace(
            base, turn=msgspec.structs.replace(base.turn, detection="server_vad")
        )
    )
    paper.offer()
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.say(ev.SpeechStarted())
    paper.talker.say(synthesize("Please unlock the front door.", "slt"))
    paper.run(2.5)
    paper.say(ev.SpeechStopped(item_id="user1"))
    paper.say(ev.AudioCommitted(item_id="user1"))
    paper.until(State.SPEAKING)
    before = paper.responses
    paper.answer()
    paper.wait(lambda: bool(paper.skills))
    assert paper.decisions == [True]
    assert paper.responses == before


def test_long_answer_counts_as_no() -> None:
    paper = Locksmith(at("localai")).ask()
    paper.until(State.LISTENING)
    words = "Well, I am not at all sure whether anybody should do that at this time of the day, yes"
    paper.talker.say(synthesize(words, "slt"))
    paper.until(State.SPEAKING)
    assert paper.asked == []
    assert paper.decisions == [False]
    assert paper.skills == []


def test_continued_answer_is_judged_as_a_whole() -> None:
    """A yes that was recognised before the user continued with "but not now" must not count."""
    paper = Locksmith(at("localai"))
    paper.recognizes = None
    paper.ask()
    paper.answer()
    (first,) = paper.asked
    paper.talker.say(synthesize("No, wait.", "slt"))
    paper.until(State.LISTENING)
    paper.say(AnswerRecognized(first.number, True))
    paper.run(0.1)
    assert paper.skills == []
    paper.wait(lambda: len(paper.asked) == 2 or bool(paper.decisions))
    paper.say(AnswerRecognized(first.number, True))
    paper.run(0.1)
    assert paper.skills == []


@pytest.mark.parametrize("server", ["openai", "localai"])
@pytest.mark.parametrize("when", ["question", "answer"])
@pytest.mark.parametrize("event", [ButtonPressed(), MuteSwitched(True)], ids=["button", "mute"])
def test_button_and_mute_count_as_no_for_functions(server: str, when: str, event: object) -> None:
    paper = Locksmith(at(server)).ask()
    if when == "answer":
        paper.until(State.LISTENING)
    paper.card.muted = isinstance(event, MuteSwitched)
    paper.say(event)  # type: ignore[arg-type]
    paper.until(State.IDLE)
    paper.run(0.2)
    assert paper.skills == []
    assert paper.decisions == [False]
    (output,) = paper.outputs
    assert output.startswith("This was not done")
    assert len(paper.events(ev.CreateResponse)) == 1


@pytest.mark.parametrize("server", ["openai", "localai"])
def test_silence_counts_as_no_for_functions(server: str) -> None:
    paper = Locksmith(at(server)).ask()
    paper.until(State.LISTENING)
    paper.until(State.IDLE)
    paper.run(0.2)
    assert (paper.skills, paper.decisions) == ([], [False])
    assert len(paper.events(ev.CreateResponse)) == 1


def test_harmless_arguments_run_at_once() -> None:
    paper = Locksmith(at("localai"))
    guards = {NAME: Guard("home", "HassTurnOff", lambda arguments: "name" not in arguments)}
    paper.say(ToolsChanged(TOOLS, guards, ""))
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("Turn it off please.", "slt"))
    paper.wait(lambda: bool(paper.skills))
    assert paper.decisions == []


def test_unspeakable_arguments_are_refused_in_words() -> None:
    paper = Locksmith(at("localai"))
    paper._call = lambda event, name, arguments: Locksmith._call(  # type: ignore[method-assign]
        paper, event, name, '{"name": "' + "x" * 600 + '"}'
    )
    paper.offer()
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("Please unlock the front door.", "slt"))
    paper.until(State.SPEAKING)
    (output,) = paper.outputs
    assert output.startswith("This was not done, and the user was not asked: it takes too long")


def test_lost_connection_runs_nothing() -> None:
    paper = Locksmith(at("localai"))
    paper.recognizes = None
    paper.ask()
    paper.answer()
    (asked,) = paper.asked
    paper.say(ConnectionDown("gone"))
    paper.run(0.1)
    paper.say(AnswerRecognized(asked.number, True))
    paper.run(0.2)
    assert paper.skills == []


# --- functions that come and go -----------------------------------------------------------


def tool_names(event: ev.SessionUpdate) -> list[str]:
    return [tool["name"] for tool in event.session["tools"]]


def test_new_functions_reach_the_running_session_between_turns() -> None:
    paper = Locksmith(settings())
    paper.calls = 0
    (first,) = paper.events(ev.SessionUpdate)
    assert tool_names(first) == []
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.offer()
    paper.talker.say(synthesize("What is the time?", "slt"))
    paper.until(State.SPEAKING)
    paper.run(0.5)
    assert len(paper.events(ev.SessionUpdate)) == 1
    paper.until(State.IDLE)
    paper.run(0.1)
    (_, second) = paper.events(ev.SessionUpdate)
    assert set(second.session) == {"type", "instructions", "tools"}
    assert tool_names(second) == [NAME]
    assert second.session["instructions"].endswith("About the home.")
    paper.run(1.0)
    assert len(paper.events(ev.SessionUpdate)) == 2


def test_other_servers_get_the_whole_configuration_again() -> None:
    """A server may take a part of it for the whole, and lose the end of turns or the format."""
    paper = Locksmith(at("localai")).offer()
    first, second = paper.events(ev.SessionUpdate)
    assert tool_names(second) == [NAME]
    assert set(second.session) == set(first.session)
    paper.say(ev.SessionUpdated(session=second.session))
    paper.run(0.5)
    assert len(paper.events(ev.SessionUpdate)) == 2


def test_functions_that_a_server_refuses_do_not_cost_the_session() -> None:
    paper = Locksmith(settings())
    paper.calls = 0
    paper.offer()
    (_, update) = paper.events(ev.SessionUpdate)
    error = ev.ErrorDetail(
        type="invalid_request_error", message="Invalid schema", param="session.tools[0].parameters",
        event_id=update.event_id,
    )  # fmt: skip
    paper.say(ev.ServerError(error=error))
    paper.run(0.1)
    (problem,) = paper.log_events("server_error")
    assert "the functions of MCP servers" in str(problem.fields)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the time?", "slt"))
    paper.until(State.SPEAKING)
