"""A request that fails for a reason of the server is repeated once, in simulated time."""

import pytest

from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings, tone

pytestmark = pytest.mark.slow

AGAIN_AFTER_S = 1.0

QUESTION = synthesize("What is the weather like?", "slt")
OWN = {"type": "server_error", "code": None, "message": "The server had an error. Sorry!"}
LIMIT = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow down"}


def thinking() -> Paper:
    """Ask a question; the server generates the answer."""
    paper = Paper(settings())
    paper.answers = False
    ask(paper)
    return paper


def ask(paper: Paper) -> None:
    asked = len(creates(paper))
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)
    paper.wait(lambda: len(creates(paper)) > asked)
    begin(paper)


def creates(paper: Paper) -> list[ev.ClientEvent]:
    return paper.events(ev.CreateResponse)


def begin(paper: Paper) -> None:
    """Begin the response that was requested last."""
    metadata = creates(paper)[-1].response["metadata"]  # type: ignore[attr-defined]
    paper.say(ev.ResponseCreated(response=ev.Response(id=newest(paper), metadata=metadata)))


def newest(paper: Paper) -> str:
    return f"r{len(creates(paper))}"


def sound(paper: Paper) -> None:
    reply = newest(paper)
    paper.say(ev.AudioDelta(response_id=reply, item_id=f"i{reply}", delta=tone(1000).tobytes()))


def fail(paper: Paper, error: ev.Json) -> None:
    details = {"type": "failed", "error": error}
    failed = ev.Response(id=newest(paper), status="failed", status_details=details)
    paper.say(ev.ResponseDone(response=failed))


def test_first_server_failure_is_only_a_longer_wait() -> None:
    paper = thinking()
    failed_at = paper.card.now
    fail(paper, OWN)
    paper.run(AGAIN_AFTER_S - 0.05)
    assert len(creates(paper)) == 1
    paper.wait(lambda: len(creates(paper)) == 2)
    assert paper.card.now - failed_at < AGAIN_AFTER_S + 0.05
    assert paper.speaker.state is State.THINKING
    begin(paper)
    sound(paper)
    paper.say(ev.ResponseDone(response=ev.Response(id=newest(paper), status="completed")))
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    (problem,) = paper.log_events("server_error")
    assert problem.fields["text"] == "the server failed to answer: asking once more"
    assert len(creates(paper)) == 2


def test_second_server_failure_is_audible() -> None:
    paper = thinking()
    fail(paper, OWN)
    paper.wait(lambda: len(creates(paper)) == 2)
    begin(paper)
    fail(paper, OWN)
    paper.until(State.IDLE, within_s=0.1)
    paper.run(2 * AGAIN_AFTER_S)
    assert len(creates(paper)) == 2
    (failed,) = paper.log_events("reply_failed")
    assert "wait a moment" in failed.fields["reason"]


@pytest.mark.parametrize("error", [LIMIT, {"code": "invalid_value", "type": "server_error"}, None])
def test_lasting_error_is_not_retried(error: ev.Json) -> None:
    paper = thinking()
    fail(paper, error)
    paper.run(2 * AGAIN_AFTER_S)
    assert paper.speaker.state is State.IDLE
    assert len(creates(paper)) == 1


def test_failure_after_audio_is_not_retried() -> None:
    paper = thinking()
    sound(paper)
    paper.run(0.1)
    fail(paper, OWN)
    paper.until(State.IDLE)
    paper.run(2 * AGAIN_AFTER_S)
    assert len(creates(paper)) == 1


def test_interrupted_wait_is_not_retried_but_the_next_turn_is() -> None:
    paper = thinking()
    fail(paper, OWN)
    paper.run(0.1)
    paper.say(ButtonPressed())
    paper.run(2 * AGAIN_AFTER_S)
    assert paper.speaker.state is State.IDLE
    assert len(creates(paper)) == 1
    ask(paper)
    fail(paper, OWN)
    paper.wait(lambda: len(creates(paper)) == 3)
    assert paper.speaker.state is State.THINKING
