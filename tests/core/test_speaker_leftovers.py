"""An abandoned turn leaves nothing that appears later."""

import msgspec
import pytest

from parleyd.core.events import (
    ButtonPressed,
    CardBack,
    CardLost,
    ConnectionDown,
    ConnectionUp,
    InputEvent,
)
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings

QUESTION = synthesize("What is the weather like?", "slt")


@pytest.mark.parametrize("ended_by", [ConnectionDown("no connection"), ButtonPressed()])
def test_abandoned_turn_is_not_sent_to_the_next_socket(
    ended_by: InputEvent,
) -> None:
    paper = Paper(settings(), connected=False)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(QUESTION)
    paper.until(State.THINKING)
    paper.say(ended_by)
    paper.until(State.IDLE)
    paper.say(ConnectionUp())
    paper.say(ev.SessionCreated())
    paper.run(0.05)
    paper.say(ev.SessionUpdated())
    paper.run(1.0)
    assert paper.events(ev.AppendAudio) == []
    assert paper.events(ev.CommitAudio) == []


def test_returning_card_does_not_play_the_rest_of_an_earcon() -> None:
    base = settings()
    with_chime = msgspec.structs.replace(
        base, earcons=msgspec.structs.replace(base.earcons, wake="default")
    )
    paper = Paper(with_chime)
    paper.say(ButtonPressed())
    paper.run(0.1)
    paper.say(CardLost("the card was lost", paper.card.queued_frames))
    paper.say(CardBack())
    began = len(paper.steps)
    paper.run(0.5)
    assert paper.speaker.state is State.IDLE
    assert not any(any(playback) for _, playback in paper.steps[began:])
