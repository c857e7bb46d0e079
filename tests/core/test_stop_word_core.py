""" "Stop" to answers and alarms in the simulated room: the real detector hears it."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from parleyd.audio import resample
from parleyd.config import Config
from parleyd.core.events import AlarmDismissed, AlarmDue, ButtonPressed
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from parleyd.wake import WakeEngine
from parleyd.wake.micro import Micro
from tests.paper_server import RATE_HZ, Paper, WakeOnDemand, settings

STOP = synthesize("Stop!", "awb")
STORY = "An old clock maker lived there, and every morning he wound a hundred clocks. " * 2
OWN = "If you want me to stop, just say: stop. Stop. Then I will. Stop!"


def answer(text: str) -> Frames:
    return resample(synthesize(text, "rms"), MIC_RATE_HZ, SERVER_RATE_HZ)


def configured(stop_word: bool = True, **hearing: object) -> Config:
    base = settings(**hearing)  # type: ignore[arg-type]
    return msgspec.structs.replace(
        base, wake=msgspec.structs.replace(base.wake, stop_word=stop_word)
    )


def asked(reply: str = STORY, *, stop_word: bool = True, **hearing: object) -> Paper:
    """Ask, and let Parley answer for two seconds."""
    paper = Paper(configured(stop_word, **hearing), reply=answer(reply), echo_gain_db=-20.0)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?", "slt"))
    paper.until(State.SPEAKING)
    paper.run(2.0)
    return paper


def loud(paper: Paper, since_s: float) -> bool:
    sound = paper.recording.loudspeaker[int(since_s * RATE_HZ) :]
    return bool(np.abs(sound).max(initial=0) > 500)


def words(paper: Paper) -> list[dict[str, Any]]:
    return [dict(e.fields) for e in paper.log_events("stop_word")]


@pytest.mark.slow
@pytest.mark.parametrize("barge_in", [True, False])
def test_stop_ends_an_answer_and_begins_no_turn(barge_in: bool) -> None:
    """Also where no voice interrupts: in half duplex, and beside a television."""
    paper = asked(barge_in=barge_in)
    paper.talker.say(STOP)
    paper.run(len(STOP) / MIC_RATE_HZ + 0.5)
    assert paper.speaker.state is State.IDLE
    assert len(words(paper)) == 1
    paper.run(0.3)  # the low tone, if the word had interrupted
    began = paper.card.now
    paper.run(2.0)
    assert not loud(paper, began)
    assert len(paper.events(ev.CreateResponse)) == 1
    (cut,) = paper.events(ev.TruncateItem)
    (interrupted,) = paper.log_events("interrupted")
    assert cut.audio_end_ms == interrupted.fields["heard_ms"]


@pytest.mark.slow
def test_stop_between_two_rounds_of_an_alarm_offline_in_half_duplex() -> None:
    paper = Paper(configured(barge_in=False), connected=False)
    paper.say(AlarmDue("eggs", 7))
    paper.run(4.2)
    paper.talker.say(STOP)
    paper.run(len(STOP) / MIC_RATE_HZ + 0.5)
    assert [e for _, e in paper.effects if isinstance(e, AlarmDismissed)] == [AlarmDismissed((7,))]
    assert [e.fields["by"] for e in paper.log_events("alarm_dismissed")] == ["stop word"]
    began = paper.card.now
    paper.run(3.0)
    assert not loud(paper, began)


class FailedEngine(WakeOnDemand):
    """A wake engine that fails, and still has the bands of a period long ago."""

    bands = np.full(40, 300.0, np.float32)

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        raise RuntimeError("invoke failed")


@pytest.mark.slow
@pytest.mark.parametrize("engine", [FailedEngine, lambda: Micro(("hey_jarvis",))])
def test_stop_is_heard_with_a_wake_engine_that_works_or_not(
    engine: Callable[[], WakeEngine],
) -> None:
    paper = Paper(configured(barge_in=False), engine(), connected=False)
    paper.say(AlarmDue("eggs", 7))
    paper.run(4.2)
    paper.talker.say(STOP)
    paper.run(len(STOP) / MIC_RATE_HZ + 0.5)
    assert [e.fields["by"] for e in paper.log_events("alarm_dismissed")] == ["stop word"]


@pytest.mark.slow
def test_stop_word_is_off_unless_configured() -> None:
    paper = asked(stop_word=False, barge_in=False)
    paper.talker.say(STOP)
    paper.run(len(STOP) / MIC_RATE_HZ + 0.5)
    assert paper.speaker.state is State.SPEAKING


@pytest.mark.slow
def test_stop_in_parleys_own_answer_changes_nothing() -> None:
    paper = asked(OWN, barge_in=False)
    paper.run(4.0)
    assert words(paper) == []


@pytest.mark.slow
def test_stop_without_an_answer_is_an_ordinary_turn() -> None:
    paper = Paper(configured())
    paper.say(ButtonPressed())
    paper.run(2.0)
    paper.talker.say(STOP)
    paper.until(State.SPEAKING)
    assert words(paper) == []
