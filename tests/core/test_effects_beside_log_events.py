"""Effects that act, beside the log lines that do not."""

import numpy as np

from parleyd.core.events import LogEvent, MicPeriod, RecordTurn, ReportXruns
from parleyd.core.states import State
from parleyd.units import MIC_PERIOD_FRAMES
from tests.bare_core import BareCore, at


def test_answered_turn_is_recorded_once_after_its_line() -> None:
    core = BareCore(at("openai"))
    core.ask("r1")
    core.sound("r1", 500)
    core.end("r1")
    core.until(State.SPEAKING)
    assert core.effects_of(RecordTurn) == []
    core.until(State.IDLE)
    turns = [
        "line" if isinstance(effect, LogEvent) else "record"
        for effect in core.effects
        if effect == RecordTurn() or (isinstance(effect, LogEvent) and effect.name == "turn")
    ]
    assert turns == ["line", "record"]


def test_turn_whose_answer_never_comes_is_recorded_too() -> None:
    core = BareCore(at("openai"))
    core.ask()
    core.until(State.IDLE)
    assert core.log_events("reply_failed")
    assert core.effects_of(RecordTurn) == [RecordTurn()]


def test_xruns_of_a_period_are_reported_by_an_effect() -> None:
    core = BareCore(at("openai"))
    period = MicPeriod(np.zeros(MIC_PERIOD_FRAMES, np.int16), 0, xruns=3)
    step = core.speaker.tick(period, core.now + 0.01)
    assert [effect for effect in step.effects if isinstance(effect, ReportXruns)] == [
        ReportXruns(3)
    ]
    assert not [effect for effect in step.effects if isinstance(effect, LogEvent)]
