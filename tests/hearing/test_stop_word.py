"""The stop word in a quiet room, in voices that its network was not trained on."""

import numpy as np
import pytest

from parleyd.audio import level_dbfs
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.own_voice import OwnVoice
from parleyd.hearing.stop_word import StopWord
from parleyd.simulation.clips import normalised, synthesize
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames
from parleyd.wake.micro import Micro

HELD_OUT = ("awb", "slt")


def period(frames: Frames, near_end: float = 0.9) -> ProcessedPeriod:
    """Return what hearing finds in a period without an echo."""
    return ProcessedPeriod(
        frames, 0.0, 0.9, False, near_end, 0.9, level_dbfs(frames), -120.0
    )  # fmt: skip


def room(*said: str, voice: str) -> Frames:
    """Return the texts, each after a second of a quiet room, and a second of it."""
    random = np.random.default_rng(3)
    quiet = random.normal(0, 8, MIC_RATE_HZ)
    pieces = [quiet]
    for text in said:
        pieces += [normalised(synthesize(text, voice), -32.0).astype(np.float64), quiet]
    sound = np.concatenate(pieces)
    return np.rint(sound[: len(sound) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]).astype(np.int16)


def heard(
    sound: Frames,
    *,
    near_end: float = 0.9,
    audible: bool = True,
    user_s: float = 0.0,
    engine: Micro | None = None,
) -> list[float]:
    """Return the times in seconds at which the word is heard.

    `user_s`: the near-end network hears a user from then on. `engine`: it has the bands.
    """  # fmt: skip
    stop, found = StopWord(), []
    for number, frames in enumerate(sound.reshape(-1, MIC_PERIOD_FRAMES)):
        now, user, bands = number / 100, near_end if number / 100 >= user_s else 0.0, None
        if engine is not None:
            engine.process(frames)
            bands = engine.bands
        if stop.process(period(frames, user), now, audible=audible, bands=bands):
            found.append(now)
    return found


@pytest.mark.parametrize("text", ["Stop!", "Stop."])
def test_stop_word_is_heard_once_and_soon(text: str) -> None:
    sound = room(text, voice="awb")
    end_s = len(sound) / MIC_RATE_HZ - 1.0
    (at_s,) = heard(sound)
    assert end_s - 0.2 < at_s < end_s + 0.4


@pytest.mark.parametrize("voice", HELD_OUT)
def test_stop_word_is_not_heard_in_others(voice: str) -> None:
    words = ("Start", "Shop", "No", "Step", "Yes", "Hop", "Wait", "Six", "Star", "What")
    sentences = ("Stop stirring when the sauce is thick.", "The bus stops at the corner.")
    assert heard(room(*words, *sentences, voice=voice)) == []


def test_stop_word_needs_a_user() -> None:
    assert heard(room("Stop!", voice="awb"), near_end=0.1) == []


def test_stop_word_is_heard_if_the_user_shows_only_in_its_middle() -> None:
    sound = room("Stop!", voice="awb")
    end_s = len(sound) / MIC_RATE_HZ - 1.0
    (at_s,) = heard(sound, user_s=end_s - 0.15)
    assert at_s < end_s + 0.4
    assert heard(sound, user_s=end_s + 0.8) == []


def test_stop_word_takes_the_bands_of_the_wake_word_engine() -> None:
    sound = room("Stop!", "Start", "Stop.", voice="awb")
    alone = heard(sound)
    assert len(alone) == 2
    assert heard(sound, engine=Micro(("hey_jarvis",))) == alone


def test_stop_word_is_heard_only_while_parley_is_audible_and_shortly_after() -> None:
    sound = room("Stop!", voice="awb")
    assert heard(sound, audible=False) == []
    periods = sound.reshape(-1, MIC_PERIOD_FRAMES)
    for silent_s, times in ((1.0, 1), (2.0, 0)):
        stop, found = StopWord(), 0
        begin_s = 1.6 - silent_s  # the word has just ended at 1.6 s
        for number, frames in enumerate(periods):
            now = number / 100
            found += stop.process(period(frames), now, audible=now < begin_s)
        assert found == times


def test_stop_word_in_parleys_own_voice_is_not_a_users() -> None:
    assert StopWord.is_users(None)
    assert StopWord.is_users(OwnVoice(0.4, 0, 20.0))
    assert not StopWord.is_users(OwnVoice(0.8, 0, 20.0))
