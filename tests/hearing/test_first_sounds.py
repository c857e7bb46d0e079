"""Words that begin without a voice, in the bench and in the training material."""

import numpy as np
import pytest

from parleyd.audio import FULL_SCALE
from parleyd.simulation import clips
from parleyd.units import Frames
from tests.bench.hearing.first_sounds import begins_with_hiss, unvoiced
from tests.bench.training import words


@pytest.mark.parametrize("voice", ["rms", "slt"])
def test_first_sounds_of_words_with_s_are_hisses(voice: str) -> None:
    assert begins_with_hiss(clips.synthesize("Stop.", voice))
    assert begins_with_hiss(clips.synthesize("Show me the news.", voice))
    assert not begins_with_hiss(clips.synthesize("No.", voice))
    assert not begins_with_hiss(clips.synthesize("Wait.", voice))


def test_first_sounds_cut_begins_with_a_hiss() -> None:
    whole = clips.synthesize("Never set a timer.", "rms")
    cut = words.from_hiss(whole, np.random.default_rng(1))
    assert cut is not None
    assert len(cut) < len(whole)
    assert unvoiced(cut[:800] / FULL_SCALE).sum() >= 4
    hum = np.rint(8000 * np.sin(np.arange(16_000) / 10)).astype(np.int16)
    assert words.from_hiss(hum, np.random.default_rng(1)) is None


def test_first_sounds_lone_word_is_short() -> None:
    word = words.lone(clips.synthesize("Turn off the lights.", "rms"), np.random.default_rng(1))
    assert word is not None
    assert 0.2 < len(word) / 16_000 <= 0.61
    assert words.lone(np.zeros(1600, np.int16), np.random.default_rng(1)) is None


def test_first_sounds_whisper_has_no_pitch() -> None:
    spoken = clips.synthesize("Never mind, thank you.", "rms")
    whisper = words.whispered(spoken, np.random.default_rng(1))
    assert len(whisper) == len(spoken)
    assert clips.active_dbfs(whisper) == pytest.approx(-26.0, abs=0.5)
    assert periodicity(whisper) < 0.5 * periodicity(spoken)


def test_first_sounds_hum_has_a_pitch() -> None:
    hums = [words.hum(np.random.default_rng(seed)) for seed in range(10)]
    assert all(0.05 < len(hum) / 16_000 < 2 for hum in hums)
    assert np.median([periodicity(hum) for hum in hums]) > 0.7
    assert not any(begins_with_hiss(hum) for hum in hums)


def periodicity(clip: Frames) -> float:
    """Return the median of the autocorrelation's peak between 80 and 300 Hz, in loud blocks."""
    blocks = clip[: len(clip) // 640 * 640].reshape(-1, 640) / FULL_SCALE
    power = np.mean(blocks**2, axis=1)
    found = []
    for block in blocks[power > power.max() / 10]:
        alike = np.correlate(block, block, "full")[639:]
        found.append(float(np.max(alike[53:200]) / alike[0]))
    return float(np.median(found))
