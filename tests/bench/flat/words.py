"""Wake words: recordings of a folder, or the offline voices; each fires the real engine nearby."""

from pathlib import Path

import numpy as np
import soundfile

from parleyd.simulation.clips import VOICES, normalised, synthesize, trimmed
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames
from parleyd.wake.micro import Micro
from tests.bench.flat.plan import TWO_METRES_DBFS

KEYWORDS = ("alexa", "hey_jarvis")
LONGEST_S = 1.6


def recorded(folder: Path) -> list[Frames]:
    """Return the recordings of `KEYWORDS`: files below folders of their names."""
    files = sorted(path for word in KEYWORDS for path in folder.rglob(f"{word}/*.flac"))
    return _usable([_read(path) for path in files])


def spoken() -> list[Frames]:
    """Return the words in flite's voices."""
    texts = ("Alexa.", "Hey Jarvis.")
    return _usable([synthesize(text, voice).copy() for text in texts for voice in VOICES])


def _read(path: Path) -> Frames:
    frames, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate_hz == MIC_RATE_HZ, path
    return np.asarray(frames[:, 0])


def _usable(clips: list[Frames]) -> list[Frames]:
    engine, found = Micro(KEYWORDS), []
    for clip in clips:
        word = normalised(trimmed(clip), TWO_METRES_DBFS)
        if len(word) <= LONGEST_S * MIC_RATE_HZ and _fires(engine, word):
            found.append(word)
    engine.close()
    return found


def _fires(engine: Micro, word: Frames) -> bool:
    quiet = np.random.default_rng(1).normal(0, 8, MIC_RATE_HZ).astype(np.int16)
    sound = np.concatenate([quiet, word, quiet])
    periods = sound[: len(sound) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]
    return any(engine.process(period) for period in periods.reshape(-1, MIC_PERIOD_FRAMES))
