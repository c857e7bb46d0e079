"""What a wake-word engine hears in recordings, and the sensitivity that suits them. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames
from parleyd.wake import WakeEngine
from parleyd.wake.gate import Gate
from parleyd.wake.micro import cutoff_at, sensitivity_for

SILENCE_S = 1.0
"""Before and after each recording: a model needs the sound around its word."""
FAINTEST = 0.02
"""The lowest score that counts as a peak: no cutoff is lower."""


MARGIN = 0.1
"""Of the distance between words and others, which a suggested cutoff keeps from both."""


class ScorePeak(NamedTuple):
    """The highest score around one moment."""

    seconds: float
    """From the beginning of the recording."""
    score: float


class WordHeard(NamedTuple):
    """One keyword in one recording."""

    detections: tuple[float, ...]
    """In seconds from its beginning: each would wake Parley."""
    peaks: tuple[ScorePeak, ...] = ()
    """In the order of time; none if the engine gives no score."""
    duration_s: float = 0.0


def hear(engine: WakeEngine, recording: Frames, refractory_s: float) -> WordHeard:
    """Let the engine hear a recording, in periods of 10 ms. `recording`: mono at 16 kHz.

    Raises `WakeError` if the engine fails.
    """
    gate, detections, scores = Gate(engine, refractory_s), [], []
    for seconds, period in _periods(recording):
        if gate.process(period, seconds, speaking=False) is not None:
            detections.append(round(seconds, 2))
        if (newest := engine.score) is not None:
            scores.append(newest.score)
    peaks = tuple(_peaks(scores, refractory_s))
    return WordHeard(tuple(detections), peaks, len(recording) / MIC_RATE_HZ)


def _periods(recording: Frames) -> Iterator[tuple[float, Frames]]:
    """Each period with the time of its end, silence before and after the recording included."""
    silence = round(SILENCE_S * MIC_RATE_HZ)
    fill = -len(recording) % MIC_PERIOD_FRAMES
    frames = np.pad(recording, (silence, fill + silence))
    for index, period in enumerate(frames.reshape(-1, MIC_PERIOD_FRAMES), 1):
        yield index * MIC_PERIOD_FRAMES / MIC_RATE_HZ - SILENCE_S, period


def _peaks(scores: list[float], apart_s: float) -> list[ScorePeak]:
    """The highest scores that are this far from each other."""
    period_s = MIC_PERIOD_FRAMES / MIC_RATE_HZ
    left = np.array(scores)
    apart = round(apart_s / period_s)
    found = []
    while len(left) and left.max() >= FAINTEST:
        at = int(left.argmax())
        found.append(ScorePeak(round((at + 1) * period_s - SILENCE_S, 2), float(left[at])))
        left[max(0, at - apart) : at + apart + 1] = 0.0
    return sorted(found)


class Suggestion(NamedTuple):
    """A sensitivity for recordings in which the number of words is known."""

    sensitivity: float
    """0 to 1."""
    cutoff: float
    """The score above which a word is found at this sensitivity."""
    found: int
    """Words and others over the cutoff: the number that was said, if the recordings allow that."""


def suggest(heard: Iterable[WordHeard], said: int, middle: float) -> Suggestion:
    """Return the sensitivity nearest to 0.5 that parts the `said` highest peaks from all others.

    `middle`: the engine's cutoff at a sensitivity of 0.5.
    """
    scores = sorted((peak.score for word in heard for peak in word.peaks), reverse=True)
    ranked = [1.0, *scores, *[0.0] * (said + 1)]
    faintest_word, loudest_other = ranked[said], ranked[said + 1]
    margin = (faintest_word - loudest_other) * MARGIN
    wanted = float(np.clip(middle, loudest_other + margin, faintest_word - margin))
    sensitivity = round(sensitivity_for(wanted, middle), 2)
    cutoff = cutoff_at(sensitivity, middle)
    return Suggestion(sensitivity, cutoff, sum(score > cutoff for score in scores))
