"""The network that `parleyd.hearing.recurrent` evaluates, for PyTorch; its file and its inputs."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

CUE_LIMIT, _LIMIT = 40.0, 4.0  # as in parleyd.hearing.recurrent


class Network(nn.Module):
    """One dense layer, one gated recurrent unit, one linear layer; the outputs are log-odds."""

    def __init__(self, cues: int, *, dense: int, units: int, outputs: int) -> None:
        super().__init__()
        self.a = nn.Linear(cues, dense)
        self.g = nn.GRU(dense, units, batch_first=True)
        self.o = nn.Linear(units, outputs)
        self.drop = nn.Dropout(0.15)

    def forward(self, cues: torch.Tensor) -> torch.Tensor:
        state, _ = self.g(self.drop(torch.relu(self.a(cues))))
        return self.o(self.drop(state))


def load(network: Network, model: Path) -> tuple[np.ndarray, np.ndarray]:
    """Load a trained model; return the mean and deviation of its cues."""
    with np.load(model) as file:
        stored = {name: file[name].astype(np.float32) for name in file.files}
    mean, std = stored.pop("mean"), stored.pop("std")
    names = {name.replace(".", "_"): name for name in network.state_dict()}
    network.load_state_dict({names[k]: torch.from_numpy(v) for k, v in stored.items()})
    return mean, std


def save(network: Network, model: Path, mean: np.ndarray, std: np.ndarray) -> None:
    """Write the model as float16."""
    weights = {k.replace(".", "_"): v.detach().numpy() for k, v in network.state_dict().items()}
    weights |= {"mean": mean, "std": std}
    np.savez_compressed(model, **{k: v.astype(np.float16) for k, v in weights.items()})


def scaled(cues: np.ndarray, mean: np.ndarray, std: np.ndarray) -> torch.Tensor:
    """Return the network's inputs for these cues."""
    bounded = np.clip(cues.astype(np.float32), -CUE_LIMIT, CUE_LIMIT)
    return torch.from_numpy(np.clip((bounded - mean) / std, -_LIMIT, _LIMIT))
