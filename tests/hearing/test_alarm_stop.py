"""The judge of "stop" into an alarm: synthetic voices, other words, and no words at all."""

import numpy as np
import pytest

from parleyd.audio import db_to_gain, resample
from parleyd.hearing import alarm_stop
from parleyd.playback import earcons
from parleyd.simulation import clips
from parleyd.simulation.clips import normalised, synthesize
from parleyd.units import MIC_RATE_HZ, Frames

LONG = "what shall we have for dinner tonight"


def uttered(sound: Frames, *, snr_db: float = 28.0) -> Frames:
    """Half a second of a quiet room before and after the sound."""
    random = np.random.default_rng(3)
    level = np.sqrt(np.mean(sound.astype(np.float64) ** 2)) * db_to_gain(-snr_db)
    room = np.rint(random.standard_normal(len(sound) + MIC_RATE_HZ) * level).astype(np.int16)
    room[MIC_RATE_HZ // 2 : MIC_RATE_HZ // 2 + len(sound)] += sound
    return room


@pytest.mark.parametrize("dbfs", [-45.0, -26.0, -14.0])
def test_stop_is_found_at_any_level(dbfs: float) -> None:
    assert alarm_stop.is_stop(uttered(normalised(synthesize("Stop!", "awb"), dbfs)))


@pytest.mark.parametrize("voice", ["slt", "awb", "rms"])
@pytest.mark.parametrize("words", ["yes", "hello", "no", "turn off the light", LONG])
def test_other_words_are_not_stop(voice: str, words: str) -> None:
    assert not alarm_stop.is_stop(uttered(normalised(synthesize(words, voice), -26.0)))


@pytest.mark.parametrize("words", ["stop", "then stop", "did it stop", "and so it would stop"])
def test_stop_at_the_end_of_a_long_talk_is_not_stop(words: str) -> None:
    """The same words alone are."""
    assert alarm_stop.is_stop(uttered(normalised(synthesize(words, "awb"), -26.0)))
    talk = uttered(normalised(synthesize(f"{LONG}, {words}", "awb"), -26.0))
    assert not alarm_stop.is_stop(talk[-3 * MIC_RATE_HZ :])


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros(0, np.int16),
        np.zeros(100, np.int16),
        np.zeros(3 * MIC_RATE_HZ, np.int16),
        np.full(2 * MIC_RATE_HZ, -32768, np.int16),
        np.random.default_rng(1).integers(-32768, 32767, 2 * MIC_RATE_HZ, np.int16),
        resample(earcons.alarm(), 24_000, MIC_RATE_HZ)[: 2 * MIC_RATE_HZ],
        uttered(clips.cough(seed=1)),
        uttered(clips.knock(seed=2)),
    ],
    ids=["nothing", "shorter", "zeros", "rail", "noise", "alarm", "cough", "knock"],
)
def test_no_word_ends_no_alarm(frames: Frames) -> None:
    assert not alarm_stop.is_stop(frames)


def test_judgement_depends_on_the_utterance_alone() -> None:
    said = uttered(normalised(synthesize("stop", "slt"), -26.0))
    first = alarm_stop.log_odds(said)
    alarm_stop.log_odds(uttered(clips.cough(seed=1)))
    assert alarm_stop.log_odds(said) == first
