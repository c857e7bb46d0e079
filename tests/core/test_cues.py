"""Each change of state plays its cue once, and nothing plays where it would mislead."""

from unittest.mock import patch

import msgspec
import numpy as np
import pytest

from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    ConnectionDown,
    MuteSwitched,
    StopRequested,
)
from parleyd.core.states import State
from parleyd.playback.cues import SOUNDS, Cue
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.paper_server import Paper, settings, tone

QUESTION = synthesize("What is the weather like?", "slt")


class Cued:
    """A speaker whose cues are counted where they reach the player."""

    def __init__(self, *, follow_up_s: float = 0.0, **earcons: object) -> None:
        base = settings(follow_up_s=follow_up_s)
        audible = dict.fromkeys(tuple(Cue), "default") | earcons
        conf = msgspec.structs.replace(
            base,
            earcons=msgspec.structs.replace(
                base.earcons, **{str(cue): value for cue, value in audible.items()}
            ),
        )
        self.paper = Paper(conf)
        self.cues: list[Cue] = []
        play = self.paper.speaker._player.play
        known = {sound().tobytes(): cue for cue, sound in SOUNDS.items()}

        def counted(sound: Frames) -> None:
            if (cue := known.get(sound.tobytes())) is not None:
                self.cues.append(cue)
            play(sound)

        self.paper.speaker._player.play = counted  # type: ignore[method-assign]

    def ask(self) -> None:
        self.paper.say(ButtonPressed())
        self.paper.run(0.4)
        self.paper.talker.say(QUESTION)
        self.paper.until(State.SPEAKING)


@pytest.mark.slow
def test_turn_plays_each_cue_once_and_in_order() -> None:
    cued = Cued(follow_up_s=1.0)
    cued.ask()
    cued.paper.until(State.LISTENING)
    cued.paper.until(State.IDLE)
    assert cued.cues == [Cue.WAKE, Cue.HEARD, Cue.FOLLOW_UP]


@pytest.mark.slow
def test_interruption_plays_no_cue() -> None:
    cued = Cued(follow_up_s=3.0)
    cued.paper.reply = tone(8000)
    cued.ask()
    cued.paper.run(0.5)
    cued.paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
    cued.paper.until(State.LISTENING)
    assert cued.cues == [Cue.WAKE, Cue.HEARD]
    cued.paper.until(State.THINKING)
    assert cued.cues == [Cue.WAKE, Cue.HEARD, Cue.HEARD]


@pytest.mark.slow
def test_user_in_mid_sentence_gets_no_follow_up_cue() -> None:
    cued = Cued(follow_up_s=3.0)
    cued.paper.reply = tone(600)
    cued.ask()
    cued.paper.talker.say(QUESTION)
    cued.paper.until(State.LISTENING)
    cued.paper.until(State.THINKING)
    assert Cue.FOLLOW_UP not in cued.cues


def test_button_ends_listening_with_the_low_tone() -> None:
    cued = Cued()
    cued.paper.say(ButtonPressed())
    cued.paper.run(0.4)
    cued.paper.say(ButtonPressed())
    cued.paper.run(0.4)
    assert cued.cues == [Cue.WAKE, Cue.ENDED]


def test_lost_connection_has_another_cue_than_an_error() -> None:
    cued = Cued()
    cued.paper.say(ButtonPressed())
    cued.paper.run(0.4)
    cued.paper.say(ConnectionDown("the cable is out", fatal=False))
    cued.paper.run(0.4)
    assert cued.cues == [Cue.WAKE, Cue.OFFLINE]


def test_mute_switch_is_heard_in_both_directions_once() -> None:
    cued = Cued()
    for muted in (True, True, False):
        cued.paper.card.muted = muted
        cued.paper.say(MuteSwitched(muted, "the mute switch is on"))
        cued.paper.run(0.4)
    assert cued.cues == [Cue.MUTED, Cue.UNMUTED]
    assert cued.paper.events(ev.AppendAudio) == []


def test_mute_cue_does_not_wait_for_the_end_of_an_alarm() -> None:
    cued = Cued()
    cued.paper.say(AlarmDue("eggs", 1))
    cued.paper.run(0.5)
    cued.paper.say(MuteSwitched(True))
    cued.paper.run(0.5)
    cued.paper.say(StopRequested(1))
    cued.paper.run(1.0)
    assert cued.cues == [Cue.TIMER]


@pytest.mark.parametrize("cue", [c for c in Cue if c is not Cue.TIMER])
def test_silent_cue_plays_nothing(cue: Cue) -> None:
    cued = Cued(**{str(cue): ""})  # type: ignore[arg-type]
    assert len(cued.paper.speaker._cues._cues.sound(cue)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("cue", [c for c in Cue if c is not Cue.TIMER])
def test_no_cue_is_heard_as_a_user(cue: Cue) -> None:
    """In the simulated room, with a cold canceller, while Parley listens."""
    cued = Cued(wake="")
    cued.paper.say(ButtonPressed())
    cued.paper.run(0.5)
    cued.paper.speaker._cues.play(cue)
    cued.paper.run(2.0)
    assert cued.paper.speaker.state is State.LISTENING
    assert not cued.paper.log_events("hold")
    assert not cued.paper.speaker._front_end.user_speaks
    assert cued.paper.speaker._front_end.voiced_at is None


@pytest.mark.parametrize(("level_db", "ratio"), [(0.0, 1.0), (-12.0, 0.251), (6.0, 1.995)])
def test_level_is_measured_in_the_played_sound(level_db: float, ratio: float) -> None:
    cued = Cued(level_db=level_db)
    cued.paper.say(ButtonPressed())
    cued.paper.run(0.6)
    loudest = int(np.abs(cued.paper.recording.loudspeaker).max())
    volume = (cued.paper.settings.audio.volume / 100) ** 2
    own = int(np.abs(SOUNDS[Cue.WAKE]()).max())
    assert loudest == pytest.approx(own * ratio * volume, rel=0.05)


def test_owners_sound_replaces_parleys() -> None:
    from parleyd.playback.cues import Cues

    bell = tone(300, 1234.0)
    with patch.dict(SOUNDS):
        cues = Cues(settings().earcons.__class__(), {Cue.WAKE: bell, Cue.TIMER: bell})
    assert cues.sound(Cue.WAKE).tolist() == bell.tolist()
    assert cues.sound(Cue.TIMER).tolist() == bell.tolist()
    assert cues.sound(Cue.ENDED).tolist() == SOUNDS[Cue.ENDED]().tolist()
