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
        net = self._network = _network()
        # each vector ends with 1, whose weights are the biases
        self._cues = np.ones(net.dense.shape[1], np.float32)
        self._seen = np.ones(net.of_input.shape[1], np.float32)
        self._state = np.zeros(net.of_state.shape[1], np.float32)
        self._state[-1] = 1.0

    def process(self, cues: Floats) -> NearEndProbabilities:
        """Return the probabilities of a period.

        `cues`: the period's `ResidualEchoEstimator.cues` and then its `Pitch.cues`.
        """
        net, before = self._network, self._state[:-1]
        both = 2 * len(before)
        np.minimum(np.maximum(cues, net.least), net.most, out=self._cues[:-1])
        np.maximum(net.dense.dot(self._cues), _ZERO, out=self._seen[:-1])
        new, old = net.of_input.dot(self._seen), net.of_state.dot(self._state)
        gates = _HALF + _HALF * np.tanh(new[:both] + old[:both])
        reset, keep = gates[: len(before)], gates[len(before) :]
        candidate = np.tanh(new[both:] + reset * old[both:])
        np.add(candidate, keep * (before - candidate), out=before)
        return NearEndProbabilities(*map(_sigmoid, net.out.dot(self._state).tolist()))


@dataclass(frozen=True, slots=True)
class _Network:
    """The weights, arranged for few operations; the last column of a matrix is its bias."""

    least: Floats
    most: Floats
    """The limits of the cues: in dB and in standard deviations, whichever is closer."""
    dense: Floats
    """The dense layer, with the cues' mean and standard deviation in it."""
    of_input: Floats
    of_state: Floats
    """The recurrent unit; the rows of its gates are halved, as its sigmoid needs them."""
    out: Floats


@cache
def _network() -> _Network:
    with np.load(_MODEL) as file:
        w = {name: file[name].astype(np.float32) for name in file.files}
    mean, std = w["mean"], w["std"]
    dense = w["a_weight"] / std
    of_input = np.column_stack((w["g_weight_ih_l0"], w["g_bias_ih_l0"]))
    of_state = np.column_stack((w["g_weight_hh_l0"], w["g_bias_hh_l0"]))
    gates = slice(2 * len(of_state) // 3)
    of_input[gates] *= _HALF
    of_state[gates] *= _HALF
    return _Network(
        least=np.maximum(mean - _LIMIT * std, -_CUE_LIMIT),
        most=np.minimum(mean + _LIMIT * std, _CUE_LIMIT),
        dense=np.column_stack((dense, w["a_bias"] - dense @ mean)),
        of_input=of_input,
        of_state=of_state,
        out=np.column_stack((w["o_weight"], w["o_bias"])),
    )


def _sigmoid(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)


_ZERO, _HALF = np.float32(0.0), np.float32(0.5)
