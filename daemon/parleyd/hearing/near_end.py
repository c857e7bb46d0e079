"""Detect the near-end user with a small recurrent network over canceller, levels and pitch.

Trained by ``tests/bench/training`` on scenes with and without a user; 33,000 weights, MIT
licence. One dense layer, one gated recurrent unit (Cho et al. 2014, in the form of cuDNN and
PyTorch), two outputs.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parleyd.units import Floats

_MODEL = Path(__file__).parent / "models" / "near_end.npz"
_CUE_LIMIT = np.float32(40.0)  # dB; higher values carry no more information
_LIMIT = np.float32(4.0)  # standard deviations, as in training


class NearEndProbabilities(NamedTuple):
    """Two probabilities for the last period."""

    voice: float
    """A user's voice is in the microphone, with or without playback."""

    speech: float
    """... and it is speech, not a cough or a hum; slower but more reliable."""


class NearEndDetector:
    """One `process` for each period of one stream, in order; about 40 us, deterministic."""

    def __init__(self) -> None:
        self._weights = _weights()
        self._state: Floats = np.zeros_like(self._weights["g_bias_hh_l0"][: self._units])

    @property
    def _units(self) -> int:
        return len(self._weights["g_bias_hh_l0"]) // 3

    def process(self, cues: Floats) -> NearEndProbabilities:
        """Return the probabilities of a period.

        `cues`: the period's `ResidualEchoEstimator.cues` and then its `Pitch.cues`.
        """
        w, units, before = self._weights, self._units, self._state
        bounded = np.minimum(np.maximum(cues, -_CUE_LIMIT), _CUE_LIMIT)
        scaled = (bounded - w["mean"]) * w["per_std"]
        scaled = np.minimum(np.maximum(scaled, -_LIMIT), _LIMIT)
        seen = np.maximum(w["a_weight"] @ scaled + w["a_bias"], 0)
        new = w["g_weight_ih_l0"] @ seen + w["g_bias_ih_l0"]
        old = w["g_weight_hh_l0"] @ before + w["g_bias_hh_l0"]
        reset, keep = _sigmoid(new[: 2 * units] + old[: 2 * units]).reshape(2, units)
        candidate = np.tanh(new[2 * units :] + reset * old[2 * units :])
        self._state = candidate + keep * (before - candidate)
        return NearEndProbabilities(*_sigmoid(w["o_weight"] @ self._state + w["o_bias"]).tolist())


@cache
def _weights() -> dict[str, Floats]:
    with np.load(_MODEL) as file:
        weights = {name: file[name].astype(np.float32) for name in file.files}
    weights["per_std"] = 1 / weights.pop("std")
    return weights


def _sigmoid(x: Floats) -> Floats:
    odds: Floats = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
    return odds
