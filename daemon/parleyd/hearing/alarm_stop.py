"""Judge whether an utterance into a ringing alarm is "stop": by a small network.

Whoever says one short word beside a ringing alarm means that, so the network may be less strict
than a stop word that listens for hours. It hears the whole utterance, behind the canceller.
Trained by ``tests/bench/training`` on people (Speech Commands, Pete Warden, CC BY 4.0) and on
synthetic voices; MIT licence.
"""

from functools import cache
from pathlib import Path

import numpy as np

from parleyd.hearing.recurrent import RecurrentNetwork
from parleyd.units import MIC_RATE_HZ, Floats, Frames

MODEL = Path(__file__).parent / "models" / "alarm_stop.npz"
STEP = 3
"""Periods between two answers of the network, which takes their features together."""

BANDS = 36
CUTOFFS = (0.0, 0.5, 3.0, 4.0)
"""Log-odds, by the number of other utterances in the last 15 s."""
LONG_S = 3.0
"""The longest utterance that is handed on: it is running speech, not one word."""

_WINDOW, _HOP = 400, 160  # frames: 25 and 10 ms
_SIZE = 512
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 7000.0
_DEEP_DB, _OVER_DB = 40.0, 25.0  # under and over the level of the word, which the network sees
_LOUD = 97  # percent: a band's level in the word; one louder period is a click
_LAST_STEPS = 8  # 240 ms after the word, in which the network has heard all of it
_LEAST_PERIODS = STEP * _LAST_STEPS


def log_odds(frames: Frames) -> float:
    """Return the log-odds that the utterance (int16, 16 kHz) is "stop".

    The network has heard all of it when it ends: what follows the word counts, too. Takes 3 ms for
    each second of sound.
    """
    network = RecurrentNetwork(MODEL)
    answers = [float(network.process(step)[0]) for step in features(frames)]
    return float(np.mean(answers[-_LAST_STEPS:])) if answers else -np.inf


def is_stop(frames: Frames, in_vain: int = 0) -> bool:
    """Return whether the utterance (int16, 16 kHz) is "stop".

    `in_vain`: how many others were judged a moment ago. A user says it once, or twice; a television
    goes on, and must be much surer. So must a long utterance: "stop" is followed by a silence.
    """
    talks_on = len(frames) >= LONG_S * MIC_RATE_HZ
    cutoff = CUTOFFS[-1 if talks_on else min(in_vain, len(CUTOFFS) - 1)]
    return log_odds(frames) > cutoff


def features(frames: Frames) -> Floats:
    """Return the levels of the bands in dB for each step: (steps, bands x periods).

    They are relative to the utterance's own level: the mean over the bands of their loud
    periods, which a tone in one of them does not move.
    """
    count = max(0, (len(frames) - _WINDOW) // _HOP + 1) // STEP * STEP
    if count < _LEAST_PERIODS:
        return np.zeros((0, BANDS * STEP), np.float32)
    at = np.arange(count)[:, None] * _HOP + np.arange(_WINDOW)
    spectrum = np.fft.rfft(frames[at] * np.hanning(_WINDOW).astype(np.float32), _SIZE)
    power = (spectrum.real**2 + spectrum.imag**2) @ _filters() + 1.0
    level_db = 10 * np.log10(power)
    level_db -= np.mean(np.percentile(level_db, _LOUD, axis=0))
    seen: Floats = np.clip(level_db, -_DEEP_DB, _OVER_DB).astype(np.float32)
    return seen.reshape(count // STEP, -1)


@cache
def _filters() -> Floats:
    """Return triangles on the mel scale, one for each column."""
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2)
    mel = _mel(np.fft.rfftfreq(_SIZE, 1 / MIC_RATE_HZ))[:, None]
    width = edges[1] - edges[0]
    triangles: Floats = np.maximum(0.0, 1.0 - np.abs(mel - edges[1:-1]) / width)
    return triangles


def _mel(hz: Floats | float) -> Floats:
    """Return the mel scale of O'Shaughnessy."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))
