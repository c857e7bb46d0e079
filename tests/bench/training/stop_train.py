"""Trains the stop word's network on examples; needs PyTorch, but not this project."""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.bench.training.network import CUE_LIMIT, Network, load, save, scaled

DENSE, UNITS = 64, 96
EPOCHS = 45
STEP = 3  # periods, as in parleyd.hearing.stop_word
SEQUENCE = 100  # steps: 3 s
UNJUDGED = 15  # steps at the start of a sequence, which may have cut a word
BATCH = 32
NO, YES, IGNORED = 0, 1, 2
RATE = 4e-3
LATEST = 20  # steps after the first target of a word in which it may be found

Session = tuple[np.ndarray, np.ndarray]


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
    train = [_load(path) for path in sorted(options.examples.glob("train-*.npz"))]
    held = [_load(path) for path in sorted(options.examples.glob("held-*.npz"))]
    some = np.clip(np.concatenate([s[0] for s in train[::8]]), -CUE_LIMIT, CUE_LIMIT)
    mean, std = some.mean(0, dtype=np.float64), some.std(0, dtype=np.float64) + 1e-3
    mean, std = mean.astype(np.float32), std.astype(np.float32)
    network = Network(len(mean), dense=DENSE, units=UNITS, outputs=1)
    if options.start is not None:
        mean, std = load(network, options.start)
    _fit(network, train, mean, std, random, options)
    _report(network, held, mean, std)


def _load(path: Path) -> Session:
    """Return the features of each step, float16, and its target."""
    with np.load(path) as file:
        features, target = file["features"], file["target"]
    steps = len(features) // STEP
    return features[: steps * STEP].reshape(steps, -1), target[STEP - 1 :: STEP][:steps]


def _fit(
    network: Network,
    train: list[Session],
    mean: np.ndarray,
    std: np.ndarray,
    random: np.random.Generator,
    options: argparse.Namespace,
) -> None:
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE / 2, weight_decay=1e-2)
    starts = [
        (number, start)
        for number, (cues, _) in enumerate(train)
        for start in range(0, len(cues) - 2 * SEQUENCE, SEQUENCE)
    ]
    epochs = options.epochs
    count = epochs * (len(starts) // BATCH)
    rises = 0.0 if options.start is not None else 0.3
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=count, pct_start=rises
    )
    bands = (len(mean) // STEP) - 1
    for epoch in range(epochs):
        order = random.permutation(len(starts))
        losses = []
        for first in range(0, len(order) - BATCH + 1, BATCH):
            picked = [_cut(train, starts[n], random) for n in order[first : first + BATCH]]
            seen = scaled(np.stack([cues for cues, _ in picked]), mean, std)
            seen = _disturbed(seen, bands, random)
            target = torch.from_numpy(np.stack([target for _, target in picked]))
            weight = (target != IGNORED).float()
            weight[:, :UNJUDGED] = 0.0
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(seen)[..., 0], (target == YES).float(), weight=weight
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        save(network, options.model, mean, std)
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.5f}", flush=True)


def _cut(
    train: list[Session], start: tuple[int, int], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a sequence that begins at `start`, or up to one sequence later."""
    cues, target = train[start[0]]
    first = start[1] + int(random.integers(SEQUENCE))
    return cues[first : first + SEQUENCE], target[first : first + SEQUENCE]


def _disturbed(seen: torch.Tensor, bands: int, random: np.random.Generator) -> torch.Tensor:
    """Other voices, microphones and rooms: shift each band, tilt, hide a few bands."""
    batch, _, cues = seen.shape
    size = cues // STEP
    shift = 0.15 * torch.randn(batch, 1, size)
    ramp = torch.linspace(-1, 1, bands)
    shift[..., :bands] += 0.3 * torch.randn(batch, 1, 1) * ramp
    seen = seen + shift.repeat(1, 1, STEP) + 0.1 * torch.randn_like(seen)
    for row in range(batch):
        if random.random() < 0.3:
            first = int(random.integers(bands - 6))
            for step in range(STEP):
                at = step * size + first
                seen[row, :, at : at + int(random.integers(2, 7))] = 0.0
    return seen


@torch.no_grad()
def _report(network: Network, held: list[Session], mean: np.ndarray, std: np.ndarray) -> None:
    """Print the words found, and how often others are, with two steps in a row over a cutoff."""
    network.eval()
    odds = [network(scaled(s[0], mean, std)[None])[0, :, 0].numpy() for s in held]
    for cutoff in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0):
        words = found = false = steps = 0
        for o, (_, target) in zip(odds, held, strict=True):
            over = (o > cutoff) & np.concatenate(([False], o[:-1] > cutoff))
            due = target == YES
            starts = np.flatnonzero(due & ~np.concatenate(([False], due[:-1])))
            words += len(starts)
            found += sum(bool(over[at : at + LATEST].any()) for at in starts)
            steps += int((target == NO).sum())
            last = -100
            for at in np.flatnonzero(over & (target == NO)):
                false += int(at - last > 33)
                last = int(at)
        print(f"log-odds > {cutoff:g}: {100 * found / max(words, 1):.1f} % of {words} words, "
              f"{false / (steps * STEP / 360_000):.1f} false an hour")  # fmt: skip


if __name__ == "__main__":
    main()
