"""Trains the network of "stop" into an alarm on examples; needs PyTorch, but not this project."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.bench.training.network import Network, load, save, scaled

DENSE, UNITS = 96, 112
EPOCHS = 30
BATCH, ALIKE = 64, 16  # examples; batches that are sorted by length together
RATE = 3e-3
LAST = 8  # steps, as in parleyd.hearing.alarm_stop
STEP = 3
WARP = 0.15  # of frequencies: shorter and longer vocal tracts
LOWEST_HZ, HIGHEST_HZ = 150.0, 7000.0  # of the bands, as there
SMOOTH = 0.998  # of the weights that are kept
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
        features, length, target = file["features"], file["length"], file["target"]
    held = np.arange(len(target)) % HELD == 0
    some = features[::20].astype(np.float32).reshape(-1, features.shape[2])
    some = some[np.any(some != 0, axis=1)]
    mean, std = some.mean(0), some.std(0) + 1e-3
    network = Network(len(mean), dense=DENSE, units=UNITS, outputs=1)
    if options.start is not None:
        mean, std = load(network, options.start)
    smooth = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(SMOOTH)
    )
    rate = RATE if options.start is None else RATE / 3
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate / 2, weight_decay=1e-2)
    train = np.flatnonzero(~held)
    steps = options.epochs * (len(train) // BATCH)
    rises = 0.15 if options.start is None else 0.0
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=rises
    )
    for epoch in range(options.epochs):
        network.train()
        losses = []
        for rows in _batches(train, length, random):
            seen = _disturbed(
                _warped(features[rows, : length[rows].max()], random), mean, std, random
            )
            answer = _answer(network(seen)[..., 0], length[rows])
            wanted = torch.from_numpy(target[rows].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(answer, wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            smooth.update_parameters(network)
            losses.append(loss.item())
        save(smooth.module, options.model, mean, std)
        found = _held(smooth.module, features[held], length[held], target[held], mean, std)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}; held {found}", flush=True)


def _batches(
    train: np.ndarray, length: np.ndarray, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw all examples once, in batches of about one length, which is quicker."""
    order = random.permutation(train)
    for first in range(0, len(order), ALIKE * BATCH):
        some = order[first : first + ALIKE * BATCH]
        some = some[np.argsort(length[some], kind="stable")]
        count = len(some) // BATCH
        for number in random.permutation(count):
            yield some[number * BATCH : (number + 1) * BATCH]


def _answer(odds: torch.Tensor, length: np.ndarray) -> torch.Tensor:
    """Return the mean of the last answers, as the product takes it."""
    last = torch.from_numpy(length.astype(np.int64))[:, None] - 1 - torch.arange(LAST)
    return odds.gather(1, last).mean(1)


def _warped(features: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Other throats: stretch the axis of frequencies of each example."""
    batch, steps, cues = features.shape
    bands = cues // STEP
    edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), bands + 2)[1:-1]
    hz = 700 * np.expm1(edges / 1127)
    factor = random.uniform(1 - WARP, 1 + WARP, (batch, 1))
    at = (_mel(hz * factor) - edges[0]) / (edges[1] - edges[0])
    at = np.clip(at, 0, bands - 1.001)
    low = at.astype(int)
    weights = np.zeros((batch, bands, bands), np.float32)
    row, column = np.indices((batch, bands))
    weights[row, low, column] = 1 - (at - low)
    weights[row, low + 1, column] += at - low
    levels = features.astype(np.float32).reshape(batch, steps * STEP, bands)
    return (levels @ weights).reshape(batch, steps, cues)


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return np.asarray(1127 * np.log1p(np.asarray(hz) / 700))


def _disturbed(
    features: np.ndarray, mean: np.ndarray, std: np.ndarray, random: np.random.Generator
) -> torch.Tensor:
    """Other microphones, clicks, and gaps: shift the bands, hide a few of them, or a moment."""
    seen = scaled(features, mean, std)
    batch, steps, cues = seen.shape
    bands = cues // STEP
    ramp = torch.linspace(-1, 1, bands)
    shift = 0.15 * torch.randn(batch, 1, bands) + 0.3 * torch.randn(batch, 1, 1) * ramp
    seen = seen + shift.repeat(1, 1, STEP) + 0.1 * torch.randn_like(seen)
    for row in np.flatnonzero(random.random(batch) < 0.4):
        first, count = int(random.integers(bands - 6)), int(random.integers(2, 7))
        for step in range(STEP):
            seen[row, :, step * bands + first : step * bands + first + count] = 0.0
    for row in np.flatnonzero(random.random(batch) < 0.3):
        first, count = int(random.integers(steps - 4)), int(random.integers(1, 4))
        seen[row, first : first + count] = float(random.normal())
    return seen


@torch.no_grad()
def _held(
    network: Network, features: np.ndarray, length: np.ndarray, target: np.ndarray,
    mean: np.ndarray, std: np.ndarray,
) -> str:  # fmt: skip
    network.eval()
    parts = []
    for first in range(0, len(target), 256):
        some = slice(first, first + 256)
        seen = scaled(features[some], mean, std)
        parts.append(_answer(network(seen)[..., 0], length[some]))
    odds = torch.cat(parts).numpy()
    found = []
    for cutoff in (-1.0, 0.0, 1.0, 2.0):
        hit, false = np.mean(odds[target] > cutoff), np.mean(odds[~target] > cutoff)
        found.append(f"{cutoff:g}: {100 * hit:.1f} % and {100 * false:.1f} % false")
    network.train()
    return "; ".join(found)


if __name__ == "__main__":
    main()
