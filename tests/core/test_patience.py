"""No timeout is shorter than the time granted to the user, the skill or the server."""

import pytest

from parleyd.config import Config
from parleyd.core.events import ConnectionUp, Reconnect, SkillDone
from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from tests.bare_core import BareCore, at

pytestmark = pytest.mark.slow

CALL = {
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "look",
    "arguments": "{}",
}


def asked(settings: Config) -> BareCore:
    """Ask a question; the server has not answered yet."""
    core = BareCore(settings)
    core.ask()
    return core


def item(core: BareCore, response: str, name: str, length_ms: int) -> None:
    """Send one complete audio item of a response."""
    core.sound(response, length_ms, name)
    core.say(ev.AudioDone(response_id=response, item_id=name))


@pytest.mark.parametrize("server", ["openai", "xai", "compatible"])
def test_answer_may_begin_at_the_end_of_the_timeout(server: str) -> None:
    core = asked(at(server, response_timeout_s=60.0))
    core.run(30.0)
    assert core.speaker.state is State.THINKING
    core.begin("r1")
    core.run(10.0)
    item(core, "r1", "i1", 500)
    core.end("r1")
    core.until(State.IDLE)
    assert core.heard_ms() == pytest.approx(500, abs=20)


@pytest.mark.parametrize("preamble_ms", [0, 1000])
@pytest.mark.parametrize("server", ["openai", "compatible"])
def test_function_may_take_its_allowed_time(server: str, preamble_ms: int) -> None:
    """28 of the 30 s of skills.timeout_s, although the answer's timeout is 5 s."""
    core = asked(at(server, response_timeout_s=5.0))
    core.begin("r1")
    if preamble_ms:
        item(core, "r1", "i1", preamble_ms)
    core.say(ev.OutputItemDone(response_id="r1", item=CALL, output_index=1))
    core.end("r1", output=[CALL])
    core.run(28.0)
    assert core.speaker.state in (State.THINKING, State.SPEAKING)
    assert core.shown[-1] is Indication.THINKING
    core.say(SkillDone("c1", "sunny"))
    core.run(0.1)
    assert len(core.events(ev.CreateResponse)) == 2
    core.run(4.0)
    core.begin("r2")
    item(core, "r2", "i2", 500)
    core.end("r2")
    core.until(State.IDLE)
    assert core.heard_ms() == pytest.approx(500 + preamble_ms, abs=30)
    assert core.log_events("reply_failed") == []


def test_remote_tool_may_take_its_allowed_time() -> None:
    core = asked(at("openai", response_timeout_s=5.0))
    core.begin("r1")
    call = {"type": "mcp_call", "id": "m1", "name": "look", "output": None}
    core.say(ev.OutputItemAdded(response_id="r1", item=call))
    core.end("r1")
    core.run(25.0)
    assert core.speaker.state is State.THINKING
    core.say(ev.McpCallCompleted(item_id="m1"))
    core.run(0.1)
    assert len(core.events(ev.CreateResponse)) == 2


@pytest.mark.parametrize("server", ["openai", "xai", "localai", "compatible"])
def test_answer_may_pause_between_its_items(server: str) -> None:
    """A model may reason long between two audio items."""
    core = asked(at(server))
    core.begin("r1")
    item(core, "r1", "i1", 500)
    core.say(ev.OutputItemDone(response_id="r1", item={"type": "message", "id": "i1"}))
    core.run(12.0)
    assert core.speaker.state is State.SPEAKING
    assert core.shown[-1] is Indication.THINKING
    item(core, "r1", "i2", 500)
    core.end("r1")
    core.until(State.IDLE)
    assert core.heard_ms() == pytest.approx(1000, abs=20)


def test_endless_function_calls_are_stopped() -> None:
    """A model that calls function after function is stopped after five minutes."""
    core = asked(at("openai"))
    for number in range(40):
        core.begin(f"r{number}")
        core.say(ev.OutputItemDone(response_id=f"r{number}", item=CALL))
        core.end(f"r{number}", output=[CALL])
        core.run(10.0)
        if core.speaker.state is State.IDLE:
            break
        core.say(SkillDone("c1", "again"))
        core.run(0.1)
    assert core.speaker.state is State.IDLE
    assert 25 < number < 35
    assert core.log_events("reply_failed")


@pytest.mark.parametrize("server", ["openai", "localai", "compatible"])
@pytest.mark.parametrize("stuck_at", ["session.created", "session.updated"])
def test_session_may_take_half_a_minute_to_begin(server: str, stuck_at: str) -> None:
    """A local server loads its models first."""
    core = BareCore(at(server), connected=False)
    core.say(ConnectionUp())
    if stuck_at == "session.updated":
        core.say(ev.SessionCreated())
    core.run(35.0)
    assert [e for e in core.effects if isinstance(e, Reconnect)] == []
    if stuck_at == "session.created":
        core.say(ev.SessionCreated())
        core.run(0.05)
    core.say(ev.SessionUpdated())
    core.run(0.05)
    assert len(core.log_events("ready")) == 1
