"""Detect the near-end user with a small recurrent network over canceller, levels and pitch.

Trained by ``tests/bench/training`` on scenes with and without a user; 33,000 weights, MIT
licence. A second model of the same form has learned from microphones that process their sound. It
has fewer false alarms on them, but more in a kitchen with an ordinary microphone.
"""

import math
from pathlib import Path
from typing import NamedTuple

from parleyd.hearing.recurrent import RecurrentNetwork
from parleyd.units import Floats

_MODELS = Path(__file__).parent / "models"


class NearEndProbabilities(NamedTuple):
    """Two probabilities for the last period."""

    voice: float
    """A user's voice is in the microphone, with or without playback."""

    speech: float
    """... and it is speech, not a cough or a hum; slower but more reliable."""


class NearEndDetector:
    """One `process` for each period of one stream, in order; about 40 us, deterministic.

    `processed`: the microphone processes its sound, see `MicrophoneWatch`.
    """

    def __init__(self, *, processed: bool = False) -> None:
        name = "near_end_processed.npz" if processed else "near_end.npz"
        self._network = RecurrentNetwork(_MODELS / name)

    def process(self, cues: Floats) -> NearEndProbabilities:
        """Return the probabilities of a period.

        `cues`: the period's `ResidualEchoEstimator.cues` and then its `Pitch.cues`.
        """
        return NearEndProbabilities(*map(_sigmoid, self._network.process(cues).tolist()))


def _sigmoid(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)
