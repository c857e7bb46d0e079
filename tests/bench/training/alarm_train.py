"""Trains the network of "stop" into an alarm on examples; needs PyTorch, but not this project."""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.bench.training.network import Network, load, save, scaled

DENSE, UNITS = 64, 80
EPOCHS = 14
BATCH = 32
RATE = 4e-3
UNHEARD = 8  # steps, as in parleyd.hearing.alarm_stop
STEP = 3
HELD = 12  # every so manieth example is not trained on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--start", type=Path, help="continue from this model: the rate only falls")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)  # a fixed order of sums makes the training deterministic
    random = np.random.default_rng(1)
    with np.load(options.examples) as file:
        features, target = file["features"], file["target"]
    held = np.arange(len(target)) % HELD == 0
    some = features[::20].astype(np.float32).reshape(-1, features.shape[2])
    some = some[np.any(some != 0, axis=1)]
    mean, std = some.mean(0), some.std(0) + 1e-3
    network = Network(len(mean), dense=DENSE, units=UNITS, outputs=1)
    if options.start is not None:
        mean, std = load(network, options.start)
    rate = RATE if options.start is None else RATE / 3
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate / 2, weight_decay=1e-2)
    train = np.flatnonzero(~held)
    steps = options.epochs * (len(train) // BATCH)
    rises = 0.3 if options.start is None else 0.0
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=rises
    )
    for epoch in range(options.epochs):
        network.train()
        order, losses = random.permutation(train), []
        for first in range(0, len(order) - BATCH + 1, BATCH):
            rows = np.sort(order[first : first + BATCH])
            seen = _disturbed(scaled(features[rows], mean, std), random)
            answer = _answer(network(seen)[..., 0])
            wanted = torch.from_numpy(target[rows].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(answer, wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        save(network, options.model, mean, std)
        found = _held(network, scaled(features[held], mean, std), target[held])
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}; held {found}", flush=True)


def _answer(odds: torch.Tensor) -> torch.Tensor:
    """Return the surest answer of two steps in a row, as the product takes it."""
    later = odds[:, UNHEARD:]
    return torch.minimum(later[:, 1:], later[:, :-1]).amax(1)


def _disturbed(seen: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Other voices and microphones: shift the bands, tilt them, hide a few."""
    batch, _, cues = seen.shape
    bands = cues // STEP
    ramp = torch.linspace(-1, 1, bands)
    shift = 0.15 * torch.randn(batch, 1, bands) + 0.3 * torch.randn(batch, 1, 1) * ramp
    seen = seen + shift.repeat(1, 1, STEP) + 0.1 * torch.randn_like(seen)
    for row in np.flatnonzero(random.random(batch) < 0.3):
        first, count = int(random.integers(bands - 6)), int(random.integers(2, 6))
        for step in range(STEP):
            seen[row, :, step * bands + first : step * bands + first + count] = 0.0
    return seen


@torch.no_grad()
def _held(network: Network, seen: torch.Tensor, target: np.ndarray) -> str:
    network.eval()
    odds = torch.cat([_answer(network(part)[..., 0]) for part in seen.split(256)]).numpy()
    parts = []
    for cutoff in (-1.0, 0.0, 1.0, 2.0):
        hit, false = np.mean(odds[target] > cutoff), np.mean(odds[~target] > cutoff)
        parts.append(f"{cutoff:g}: {100 * hit:.1f} % and {100 * false:.1f} % false")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
