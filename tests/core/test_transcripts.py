"""Transcripts are in the log only with `log.transcripts`, at any level."""

import logging

import msgspec
import pytest

from parleyd.app.effect_log import write_log_event
from parleyd.config import LogConfig
from parleyd.core.events import ButtonPressed, LogEvent
from parleyd.core.states import State
from parleyd.host.systemd import FieldsFormatter
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.client_events import settings_of
from tests.paper_server import Paper, settings, tone

QUESTION = synthesize("What is a rhododendron?", "slt")
OBJECTION = synthesize("No wait, tell me about the rain.", "rms")
ASKED = "What is a\nrhododendron?"
ANSWER = "It is a shrub with thick leaves, and its flowers are larger than most."
REST = "Rain is water that falls."


def conversation(transcripts: bool) -> Paper:
    """Run a question, an interrupted answer, and a complete one."""
    log = LogConfig(transcripts=transcripts, level="debug")
    paper = Paper(msgspec.structs.replace(settings(), log=log))
    paper.answers = False
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)
    answer(paper, 1, ANSWER)
    paper.say(ev.InputTranscript(item_id="u1", transcript=ASKED))
    paper.until(State.SPEAKING)
    paper.run(1.5)
    paper.talker.say(OBJECTION)
    paper.until(State.LISTENING)
    answer(paper, 2, REST)
    paper.until(State.IDLE)
    return paper


def answer(paper: Paper, number: int, words: str) -> None:
    """Answer the turn with this number, after its end, with 3 s of sound."""
    paper.wait(lambda: len(paper.events(ev.CreateResponse)) == number)
    create = paper.events(ev.CreateResponse)[-1]
    metadata = settings_of(create)["metadata"]
    reply, item = f"r{number}", f"i{number}"
    paper.say(ev.ResponseCreated(response=ev.Response(id=reply, metadata=metadata)))
    paper.say(ev.TranscriptDelta(response_id=reply, item_id=item, delta=words))
    paper.say(ev.AudioDelta(response_id=reply, item_id=item, delta=tone(3000).tobytes()))
    paper.say(ev.AudioDone(response_id=reply, item_id=item))
    paper.say(ev.ResponseDone(response=ev.Response(id=reply, status="completed")))


def journal(paper: Paper, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines of all log events of the conversation."""
    with caplog.at_level(logging.DEBUG):
        for _, effect in paper.effects:
            if isinstance(effect, LogEvent):
                write_log_event(effect)
    return [FieldsFormatter("%(message)s").format(record) for record in caplog.records]


@pytest.mark.slow
def test_transcripts_enabled_log_the_user_and_the_heard_reply(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = journal(conversation(True), caplog)
    asked, heard, rest = [line for line in lines if line.startswith("transcript ")]
    assert asked == "transcript who=user words=What is a rhododendron?"
    assert rest == f"transcript who=assistant words={REST}"
    words = heard.removeprefix("transcript who=assistant words=")
    assert 0 < len(words) < len(ANSWER)
    assert ANSWER.startswith(words)


@pytest.mark.slow
def test_transcripts_disabled_leave_no_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        lines = journal(conversation(False), caplog)
    assert sum(line.startswith("turn ") for line in lines) == 2
    said = {word.strip("?.,") for word in f"{ASKED} {ANSWER} {REST}".split()}
    for word in (word for word in said if len(word) > 4):
        assert not [line for line in lines if word in line]
