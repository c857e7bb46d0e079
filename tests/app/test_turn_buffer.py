"""A recording holds the turn and two seconds before it, never the idle room."""

import numpy as np
import pytest

from parleyd.app.turn_buffer import TurnBuffer
from parleyd.core.events import ButtonPressed, MicPeriod, TickResult
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from parleyd.units import SILENCE, Frames
from tests.paper_server import Paper, WakeOnDemand, settings


class Tape:
    """A buffer, filled with periods that contain their number."""

    def __init__(self) -> None:
        self.buffer = TurnBuffer()
        self.number = 0

    def periods(self, seconds: float, state: State, *, muted: bool = False) -> None:
        for _ in range(round(seconds * 100)):
            self.number += 1
            heard = None if muted else np.full(160, self.number, np.int16)
            self.buffer.observe(MicPeriod(heard, 0), TickResult(False, SILENCE, (), state))

    def taken(self) -> list[int]:
        """Return the numbers of the recorded periods; 0 is a closed microphone."""
        microphone, played = self.buffer.take()
        assert len(microphone) == len(played)
        return [int(frames[0]) for frames in microphone]


def test_turn_after_an_hour_of_idle_begins_two_seconds_before_it() -> None:
    tape = Tape()
    tape.periods(150.0, State.IDLE)
    tape.periods(3.0, State.LISTENING)
    tape.periods(4.0, State.SPEAKING)
    tape.periods(30.0, State.IDLE)  # before the turn is written
    assert tape.taken() == list(range(14_801, 15_702))  # 2 s, 3 s, 4 s and the period that ends it


def test_second_turn_holds_nothing_of_the_first() -> None:
    tape = Tape()
    tape.periods(1.0, State.LISTENING)
    tape.periods(1.0, State.IDLE)
    tape.taken()
    tape.periods(1.0, State.LISTENING)
    tape.periods(0.01, State.IDLE)
    assert tape.taken() == list(range(102, 302))  # 1 s of idle, 1 s of the turn


def test_unwritten_turn_is_dropped_at_the_next() -> None:
    tape = Tape()
    tape.periods(5.0, State.LISTENING)  # without speech, no turn is reported
    tape.periods(60.0, State.IDLE)
    tape.periods(1.0, State.LISTENING)
    assert tape.taken() == list(range(6301, 6601))


def test_follow_up_is_recorded_from_the_end_of_the_turn_before() -> None:
    tape = Tape()
    tape.periods(1.0, State.SPEAKING)
    tape.taken()
    tape.periods(1.0, State.LISTENING)
    assert tape.taken() == list(range(101, 201))


def test_turn_of_any_length_takes_at_most_ninety_seconds() -> None:
    tape = Tape()
    tape.periods(200.0, State.SPEAKING)
    tape.periods(0.01, State.IDLE)
    assert tape.taken() == list(range(11_002, 20_002))


def test_audio_from_before_a_mute_is_never_recorded() -> None:
    tape = Tape()
    tape.periods(10.0, State.IDLE)
    tape.periods(0.5, State.IDLE, muted=True)
    tape.periods(0.5, State.IDLE)
    tape.periods(1.0, State.LISTENING)
    assert tape.taken() == list(range(1051, 1201))


def test_muted_microphone_is_recorded_as_silence() -> None:
    tape = Tape()
    tape.periods(1.0, State.SPEAKING)
    tape.periods(1.0, State.SPEAKING, muted=True)
    tape.periods(1.0, State.SPEAKING)
    assert tape.taken() == [*range(1, 101), *[0] * 100, *range(201, 301)]


@pytest.mark.slow
@pytest.mark.parametrize("begun_by", ["wake word", "button"])
def test_recording_of_the_real_core_begins_two_seconds_before(begun_by: str) -> None:
    wake_engine = WakeOnDemand()
    paper = Paper(settings(), wake_engine)
    buffer, heard = TurnBuffer(), list[Frames | None]()
    really = paper.speaker.tick

    def tick(period: MicPeriod, now: float) -> TickResult:
        step = really(period, now)
        buffer.observe(period, step)
        heard.append(period.frames)
        return step

    paper.speaker.tick = tick  # type: ignore[method-assign]
    paper.run(15.0)
    if begun_by == "button":
        paper.say(ButtonPressed())
    else:
        wake_engine.next = "hey_test"
    paper.until(State.LISTENING)
    begun = len(heard)
    paper.talker.say(synthesize("What time is it?", "slt"))
    paper.until(State.SPEAKING)
    paper.until(State.IDLE)
    ended = len(heard)
    paper.run(5.0)
    microphone, _ = buffer.take()
    assert ended - begun + 195 <= len(microphone) <= ended - begun + 201
