"""A microphone that delivers one number for a minute is dead, unless it is known to gate."""

import itertools

import numpy as np
import pytest

from parleyd.app.effect_log import LOUD_EVENTS
from parleyd.core.events import MicPeriod, MuteSwitched, Show
from parleyd.core.states import Indication, State
from parleyd.hearing.digital_silence import DigitalSilence
from parleyd.units import Frames
from tests.paper_server import Paper, settings

ZEROS = np.zeros(160, np.int16)
NOISE = np.random.default_rng(3).integers(-2, 3, 160).astype(np.int16)  # a quiet converter


def constant(value: int) -> Frames:
    return np.full(160, value, np.int16)


def run(watch: DigitalSilence, frames: Frames, seconds: float, *, expected: bool = False) -> int:
    """Return the number of changes of `dead`."""
    return sum(watch.update(frames, expected=expected) for _ in range(round(seconds * 100)))


@pytest.mark.slow
@pytest.mark.parametrize("value", [0, -1, 7, -32768, 32767])
def test_silence_of_a_minute_is_a_dead_microphone(value: int) -> None:
    watch = DigitalSilence()
    assert run(watch, NOISE, 5.0) == 0
    assert run(watch, constant(value), 60.0) == 0  # the first period ends the noise
    assert run(watch, constant(value), 0.01) == 1
    assert watch.dead
    assert run(watch, constant(value), 600.0) == 0


def test_silence_from_the_start_is_a_dead_microphone() -> None:
    watch = DigitalSilence()
    run(watch, ZEROS, 60.0)
    assert watch.dead


def test_silence_ends_with_one_sample() -> None:
    watch = DigitalSilence()
    run(watch, ZEROS, 61.0)
    click = ZEROS.copy()
    click[77] = 1
    assert watch.update(click, expected=False)
    assert not watch.dead


@pytest.mark.parametrize("frames", [NOISE, np.tile(np.array([0, -1], np.int16), 80)])
def test_silence_of_a_converter_is_not_digital(frames: Frames) -> None:
    watch = DigitalSilence()
    assert run(watch, frames, 300.0) == 0


def test_silence_between_steps_and_doors_is_a_gate() -> None:
    watch = DigitalSilence()
    for _ in range(20):
        assert run(watch, ZEROS, 59.0) == 0
        assert run(watch, NOISE, 0.1) == 0


@pytest.mark.slow
def test_silence_of_a_gated_microphone_at_night_is_normal() -> None:
    watch = DigitalSilence()
    for _ in range(10):
        run(watch, ZEROS, 2.0)
        run(watch, NOISE, 0.5)
    assert run(watch, ZEROS, 3600.0) == 0
    assert run(watch, ZEROS, 60.0, expected=True) == 1  # a minute with expected speech


@pytest.mark.slow
def test_silence_of_a_conference_speaker_is_a_gate_at_once() -> None:
    watch = DigitalSilence(gates=True)
    assert run(watch, ZEROS, 3600.0) == 0
    assert run(watch, ZEROS, 60.0, expected=True) == 1


def test_silence_before_the_microphone_was_closed_does_not_count() -> None:
    watch = DigitalSilence()
    run(watch, ZEROS, 50.0)
    watch.closed()
    assert run(watch, ZEROS, 50.0) == 0


# --- the whole core ---------------------------------------------------------------------


PERIODS = itertools.count(100_000)


def hear(paper: Paper, frames: Frames | None, seconds: float) -> None:
    """Deliver these frames repeatedly, like the card."""
    for _ in range(round(seconds * 100)):
        paper.tick(MicPeriod(frames, 1920), next(PERIODS) / 100)


def last_shown(paper: Paper) -> Show:
    return [effect for _, effect in paper.effects if isinstance(effect, Show)][-1]


@pytest.mark.slow
def test_speaker_reports_a_dead_microphone_and_its_return() -> None:
    paper = Paper(settings())
    hear(paper, ZEROS, 59.0)
    assert paper.log_events("no_sound") == []
    hear(paper, ZEROS, 2.0)
    (log_event,) = paper.log_events("no_sound")
    assert "audio.capture" in str(log_event.fields["means"])
    assert "no_sound" in LOUD_EVENTS  # a warning
    assert last_shown(paper) == Show(Indication.IDLE, "the microphone delivers no sound")
    hear(paper, NOISE, 0.1)
    assert len(paper.log_events("sound_again")) == 1
    assert last_shown(paper) == Show(Indication.IDLE, "")
    assert paper.speaker.state is State.IDLE


def test_speaker_with_a_closed_microphone_does_not_call_it_dead() -> None:
    paper = Paper(settings())
    paper.say(MuteSwitched(True))
    hear(paper, None, 120.0)
    assert paper.log_events("no_sound") == []
    assert last_shown(paper).indication is Indication.MUTED


@pytest.mark.slow
def test_speaker_that_is_muted_clears_a_dead_microphone() -> None:
    paper = Paper(settings())
    hear(paper, ZEROS, 61.0)
    paper.say(MuteSwitched(True))
    hear(paper, None, 1.0)
    paper.say(MuteSwitched(False))
    hear(paper, ZEROS, 1.0)
    assert last_shown(paper) == Show(Indication.IDLE, "")
