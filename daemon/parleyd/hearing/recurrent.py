"""A small recurrent network: one dense layer, one gated recurrent unit, one linear layer.

The unit has the form of cuDNN and PyTorch (Cho et al. 2014). `tests/bench/training` writes the
models: float16, with the mean and the standard deviation of each cue.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from parleyd.units import Floats

_CUE_LIMIT = np.float32(40.0)  # dB; higher values carry no more information
_LIMIT = np.float32(4.0)  # standard deviations, as in training


class RecurrentNetwork:
    """One `process` for each step of one stream, in order; deterministic."""

    def __init__(self, model: Path) -> None:
        net = self._weights = _weights(model)
        units = self._units = net.out.shape[1] - 1
        # both vectors end with 1, whose weights are the biases
        self._cues = np.ones(net.dense.shape[1], np.float32)
        self._inner = np.ones(net.recurrent.shape[1], np.float32)
        self._seen, self._state = self._inner[: -units - 1], self._inner[-units - 1 : -1]
        self._state[:] = 0.0
        self._of_state = self._inner[-units - 1 :]

    def process(self, cues: Floats) -> Floats:
        """Return the outputs of a step, as log-odds."""
        net, units, state = self._weights, self._units, self._state
        np.minimum(np.maximum(cues, net.least), net.most, out=self._cues[:-1])
        np.maximum(net.dense.dot(self._cues), _ZERO, out=self._seen)
        sums = net.recurrent.dot(self._inner)
        gates = np.tanh(sums[: 2 * units])  # the sigmoid of 2 x is (1 + tanh x) / 2
        reset, keep = gates[:units], gates[units:]
        candidate = np.tanh(sums[2 * units : 3 * units] + reset * sums[3 * units :])
        kept = (_HALF + _HALF * keep) * (state - candidate)
        np.add(candidate, kept, out=state)
        found: Floats = net.out.dot(self._of_state)
        return found


@dataclass(frozen=True, slots=True)
class _Weights:
    """The weights, arranged for few operations; the last column of a matrix is its bias."""

    least: Floats
    most: Floats
    """The limits of the cues: in dB and in standard deviations, whichever is closer."""
    dense: Floats
    """The dense layer, with the cues' mean and standard deviation in it."""
    recurrent: Floats
    """The recurrent unit, from the dense layer's output and the state: half of what its sigmoids
    take, the candidate's sum for a gate that is half open, and half of what that gate resets."""
    out: Floats


@cache
def _weights(model: Path) -> _Weights:
    with np.load(model) as file:
        w = {name: file[name].astype(np.float32) for name in file.files}
    mean, std = w["mean"], w["std"]
    dense = w["a_weight"] / std
    of_input, of_state = w["g_weight_ih_l0"], w["g_weight_hh_l0"]
    of_input = np.column_stack((of_input, np.zeros_like(of_state), w["g_bias_ih_l0"]))
    of_state = np.column_stack((np.zeros_like(w["g_weight_ih_l0"]), of_state, w["g_bias_hh_l0"]))
    gates = 2 * len(of_state) // 3
    reset = _HALF * of_state[gates:]
    both = _HALF * (of_input + of_state)[:gates]
    return _Weights(
        least=np.maximum(mean - _LIMIT * std, -_CUE_LIMIT),
        most=np.minimum(mean + _LIMIT * std, _CUE_LIMIT),
        dense=np.column_stack((dense, w["a_bias"] - dense @ mean)),
        recurrent=np.concatenate((both, of_input[gates:] + reset, reset)),
        out=np.column_stack((w["o_weight"], w["o_bias"])),
    )


_ZERO, _HALF = np.array(0.0, np.float32), np.array(0.5, np.float32)
