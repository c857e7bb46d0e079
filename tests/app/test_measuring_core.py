"""A measurement in the place of the speaker: its end, and the speaker afterwards."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from parleyd.app.measuring_core import MeasuringCore
from parleyd.calibration.steps import MeasuringStep, SilenceStep
from parleyd.calibration.sweep_step import SweepStep
from parleyd.control.replies import Code
from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    CardLost,
    InputEvent,
    ListenRequested,
    MicPeriod,
    MuteSwitched,
    TickResult,
)
from parleyd.core.states import State
from parleyd.units import Frames
from tests.bare_core import BareCore, at

LEAD = 960  # frames at 24 kHz, the core's 40 ms


@dataclass
class Desk:
    """A core with a card, as the audio thread drives them."""

    bare: BareCore = field(default_factory=lambda: BareCore(at("openai")))
    endings: list[tuple[Code | None, str]] = field(default_factory=list)
    played: list[Frames] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bare.run(0.5)
        self.core = MeasuringCore(self.bare.speaker)
        self.now = self.bare.now
        self.queued = LEAD

    def begin(self, step: MeasuringStep) -> None:
        self.core.begin(step, lambda code, reason: self.endings.append((code, reason)))

    def run(self, periods: int, *, closed: bool = False) -> TickResult:
        for _ in range(periods):
            self.now += 0.01
            self.queued = max(0, self.queued - 240)
            frames = None if closed else np.zeros(160, np.int16)
            step = self.core.tick(MicPeriod(frames, self.queued), self.now)
            self.queued = len(step.playback) + (0 if step.drop else self.queued)
            self.played.append(step.playback)
        return step

    def say(self, event: InputEvent) -> None:
        self.core.handle(event, self.now)

    @property
    def loud(self) -> bool:
        return bool(np.concatenate(self.played).any())


@pytest.fixture
def desk() -> Desk:
    return Desk()


def sweep() -> SweepStep:
    return SweepStep([60], 24000, 40)


def test_measurement_is_done_and_the_speaker_continues(desk: Desk) -> None:
    step = sweep()
    desk.begin(step)
    desk.run(400)
    assert desk.endings == [(None, "")]
    assert desk.loud
    assert [figures.volume for figures in step.figures().sweeps] == [60]
    desk.say(ListenRequested(1))
    desk.run(1)
    assert desk.bare.speaker.state is State.LISTENING


def test_queue_stays_at_the_lead_during_a_measurement(desk: Desk) -> None:
    desk.begin(sweep())
    for _ in range(100):
        desk.run(1)
        assert desk.queued == LEAD


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ButtonPressed(), Code.STOPPED),
        (AlarmDue("eggs", 1), Code.STOPPED),
        (ListenRequested(1), Code.STOPPED),
        (CardLost("the card is gone", 0), Code.NO_CARD),
    ],
)
def test_speaker_that_is_needed_ends_a_measurement(
    desk: Desk, event: InputEvent, code: Code
) -> None:
    desk.begin(sweep())
    desk.run(50)
    desk.say(event)
    desk.run(2, closed=isinstance(event, CardLost))
    ((ended, reason),) = desk.endings
    assert (ended, bool(reason)) == (code, True)


def test_button_that_ends_a_measurement_begins_no_turn(desk: Desk) -> None:
    desk.begin(sweep())
    desk.run(50)
    desk.say(ButtonPressed())
    desk.run(50)
    assert desk.bare.speaker.state is State.IDLE
    desk.say(ButtonPressed())
    desk.run(1)
    assert desk.bare.speaker.state is State.LISTENING


def test_microphone_that_closes_ends_a_measurement_at_once(desk: Desk) -> None:
    desk.begin(sweep())
    desk.run(50)
    desk.say(MuteSwitched(True))
    desk.run(1, closed=True)
    assert [code for code, _ in desk.endings] == [Code.MUTED]
    desk.played.clear()
    desk.run(300, closed=True)
    assert not desk.loud


def test_closed_microphone_refuses_a_measurement(desk: Desk) -> None:
    desk.run(1, closed=True)
    desk.begin(SilenceStep())
    desk.run(1, closed=True)
    assert [code for code, _ in desk.endings] == [Code.MUTED]


def test_turn_refuses_a_measurement_and_is_not_touched(desk: Desk) -> None:
    desk.say(ButtonPressed())
    desk.run(1)
    desk.begin(sweep())
    desk.run(10)
    assert [code for code, _ in desk.endings] == [Code.BUSY]
    assert desk.bare.speaker.state is State.LISTENING


def test_second_measurement_is_refused_while_one_runs(desk: Desk) -> None:
    first = SilenceStep()
    desk.begin(first)
    desk.run(10)
    desk.begin(SilenceStep())
    assert [code for code, _ in desk.endings] == [Code.BUSY]
    desk.run(400)
    assert first.done


def test_cancelled_measurement_ends_within_a_period(desk: Desk) -> None:
    step = sweep()
    desk.begin(step)
    desk.run(100)
    desk.core.cancel(step)
    desk.run(1)
    assert [code for code, _ in desk.endings] == [Code.STOPPED]
    desk.played.clear()
    desk.run(50)
    assert not desk.loud
    desk.core.cancel(step)  # nothing runs


def test_measurement_that_fails_leaves_the_speaker(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(SilenceStep):
        def tick(self, period: MicPeriod, count: int) -> Frames:
            raise RuntimeError("native code")

    desk.begin(Broken())
    desk.run(5)
    assert [code for code, _ in desk.endings] == [Code.FAILED]
    assert "native code" in caplog.text
    desk.say(ListenRequested(1))
    desk.run(1)
    assert desk.bare.speaker.state is State.LISTENING
