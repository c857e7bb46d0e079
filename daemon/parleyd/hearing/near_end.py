"""Detect the near-end user with a small recurrent network over canceller, levels and pitch.

Trained by ``tests/bench/training`` on scenes with and without a user; 33,000 weights, MIT
licence. One dense layer, one gated recurrent unit (Cho et al. 2014, in the form of cuDNN and
PyTorch), two outputs.
"""

import math
from dataclasses import dataclass
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
        self._network = _network()
        self._state: Floats = np.zeros(self._network.units, np.float32)

    def process(self, cues: Floats) -> NearEndProbabilities:
        """Return the probabilities of a period.

        `cues`: the period's `ResidualEchoEstimator.cues` and then its `Pitch.cues`.
        """
        net, units, before = self._network, self._network.units, self._state
        bounded = np.minimum(np.maximum(cues, net.least), net.most)
        seen = np.maximum(net.dense @ bounded + net.dense_bias, 0)
        new = net.of_input @ seen + net.input_bias
        old = net.of_state @ before + net.state_bias
        gates = _sigmoid(new[: 2 * units] + old[: 2 * units])
        reset, keep = gates[:units], gates[units:]
        candidate = np.tanh(new[2 * units :] + reset * old[2 * units :])
        self._state = candidate + keep * (before - candidate)
        return NearEndProbabilities(*map(_odds, (net.out @ self._state + net.out_bias).tolist()))


@dataclass(frozen=True, slots=True)
class _Network:
    """The weights, arranged for few operations."""

    least: Floats
    most: Floats
    """The limits of the cues: in dB and in standard deviations, whichever is closer."""
    dense: Floats
    dense_bias: Floats
    """The dense layer, with the cues' mean and standard deviation in it."""
    of_input: Floats
    input_bias: Floats
    of_state: Floats
    state_bias: Floats
    out: Floats
    out_bias: Floats

    @property
    def units(self) -> int:
        return len(self.out[0])


@cache
def _network() -> _Network:
    with np.load(_MODEL) as file:
        w = {name: file[name].astype(np.float32) for name in file.files}
    mean, std = w["mean"], w["std"]
    dense = w["a_weight"] / std
    return _Network(
        least=np.maximum(mean - _LIMIT * std, -_CUE_LIMIT),
        most=np.minimum(mean + _LIMIT * std, _CUE_LIMIT),
        dense=dense,
        dense_bias=w["a_bias"] - dense @ mean,
        of_input=w["g_weight_ih_l0"],
        input_bias=w["g_bias_ih_l0"],
        of_state=w["g_weight_hh_l0"],
        state_bias=w["g_bias_hh_l0"],
        out=w["o_weight"],
        out_bias=w["o_bias"],
    )


def _sigmoid(x: Floats) -> Floats:
    odds: Floats = _HALF + _HALF * np.tanh(_HALF * x)
    return odds


def _odds(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)


_HALF = np.float32(0.5)
