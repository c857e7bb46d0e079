"""The boot chime: it is audible, it calibrates, and the echo path survives a restart."""

import numpy as np
import pytest

from parleyd.audio import level_dbfs, resample
from parleyd.config import AudioConfig, Config
from parleyd.core.events import CardLost, EchoPathLearned, MuteSwitched, PlayStartupSound
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.echo_path import EchoPath
from parleyd.playback import earcons
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.paper_server import RATE_HZ, Paper

SENTENCE = "Once upon a time there was a small house at the edge of a very large forest."


def paper(echo_gain_db: float, *, volume: int = 100) -> Paper:
    settings = Config(audio=AudioConfig(playback_rate_hz=RATE_HZ, volume=volume))
    made = Paper(settings, connected=False)
    room = Room(seed=1, echo_gain_db=echo_gain_db, noise_dbfs=-80, loudspeaker_rate_hz=RATE_HZ)
    made.card = SimulatedCard(made, room, made.talker, recording=made.recording)
    made.say(PlayStartupSound())
    made.run(6.5)
    return made


def learned(made: Paper) -> list[EchoPath]:
    return [effect.echo_path for _, effect in made.effects if isinstance(effect, EchoPathLearned)]


@pytest.mark.slow
def test_greeting_measures_delay_and_level() -> None:
    made = paper(-12.0)
    (log_event,) = made.log_events("calibrated")
    assert log_event.fields["reply_dbfs"] == pytest.approx(-24 - 12, abs=4)
    delay_ms = log_event.fields["delay_ms"]
    assert isinstance(delay_ms, float)
    assert 20 < delay_ms < 60  # lead plus time of flight, minus the lag of the reference
    assert len(learned(made)) == 1


@pytest.mark.slow
def test_too_loud_greeting_suggests_a_lower_volume() -> None:
    loud, softer = paper(+9.0), paper(+9.0, volume=50)
    (log_event,) = loud.log_events("echo_too_loud")
    volume = log_event.fields["volume"]
    assert isinstance(volume, int)
    assert 40 < volume < 90
    assert f"set audio.volume to {volume}" in str(log_event.fields["means"])
    assert len(softer.log_events("calibrated")) == 1


def test_greeting_that_is_not_heard_is_reported() -> None:
    (log_event,) = paper(-70.0).log_events("loudspeaker_not_heard")
    assert "microphone does not hear" in str(log_event.fields["means"])


@pytest.mark.slow
def test_greeting_muted_measures_nothing_and_cardless_is_silent() -> None:
    made = Paper(Config(audio=AudioConfig(playback_rate_hz=RATE_HZ)))
    made.card.muted = True
    made.say(MuteSwitched(True))
    made.say(PlayStartupSound())
    made.run(1.0)
    assert np.abs(made.recording.loudspeaker[-RATE_HZ:]).max() > 1000  # audible nevertheless
    made.card.muted = False
    made.say(MuteSwitched(False))
    made.run(7.0)
    assert not made.log_events("calibrated")
    assert not made.log_events("loudspeaker_not_heard")
    alone = Paper(Config(audio=AudioConfig(playback_rate_hz=RATE_HZ)))
    alone.say(CardLost("it was unplugged", 0))
    alone.say(PlayStartupSound())
    alone.run(0.5)
    assert not any(np.frombuffer(playback, np.int16).any() for _, playback in alone.steps)


@pytest.mark.slow
@pytest.mark.parametrize("late", [0, 48, -64])  # frames: the card starts up to 4 ms off
def test_restart_begins_with_the_last_echo_path(late: int) -> None:
    settings = Config().hearing
    voice = synthesize(SENTENCE, "slt")
    teacher = EchoControl(settings)
    played(teacher, voice, late=0)
    played(teacher, voice, late=0)
    kept = teacher.echo_path()
    assert kept is not None
    cold, warm = EchoControl(settings), EchoControl(settings)
    warm.restore(kept)
    assert warm.echo_path() is None, "a new echo path was learned already"
    greeting = resample(earcons.greeting(), 24_000, 16_000)
    played(warm, greeting, late=late)
    assert played(warm, voice, late=late) > played(cold, voice, late=late) + 6


def test_invalid_echo_path_is_not_restored() -> None:
    hearing = EchoControl(Config().hearing)
    taps = np.full(3840, np.nan, np.float32)
    hearing.restore(EchoPath(taps, 100.0, 300.0, 0.0))
    quiet = np.zeros(160, np.int16)
    assert not hearing.process(quiet, quiet, 0.0).cleaned.any()
    assert hearing.delay_ms is None


def played(hearing: EchoControl, sound: Frames, *, late: int) -> float:
    """Return the dB of echo removed in the first second and a half of a sound."""
    path = np.random.default_rng(3).standard_normal(1600) * np.exp(-np.arange(1600) / 300)
    echo = np.convolve(sound, 0.3 * path / np.sqrt(np.sum(path**2)))[: len(sound)]
    delayed = np.concatenate([np.zeros(640 + late), echo])[: len(sound)]
    mic = np.rint(delayed + np.random.default_rng(4).normal(0, 3, len(sound))).astype(np.int16)
    left = []
    for index in range(len(sound) // 160):
        part = slice(index * 160, (index + 1) * 160)
        left.append(hearing.process(mic[part], sound[part], index / 100).cleaned)
    first = slice(0, 24_000)
    return level_dbfs(mic[first]) - level_dbfs(np.concatenate(left)[first])
