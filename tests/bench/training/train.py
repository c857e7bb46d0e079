"""Trains the network on examples; needs PyTorch, but not this project. See the package."""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.bench.training.network import CUE_LIMIT, Network, load, save, scaled

UNITS = 64
EPOCHS = 12
SEQUENCE = 300  # periods: 3 s
BATCH = 32
HELD_OUT = 8  # every eighth session is held out
QUIET, VOICE, SHORT = 0, 1, 2
FASTER, FAST = 6e-3, 2e-3  # the learning rate's peak, from scratch and from a trained model
UNVOICED_WEIGHT = 2.0
SHORT_WEIGHT = 3.0
BRIEF, BRIEF_WEIGHT = 60, 3.0  # periods of voice: a lone word, which a hum must not outweigh

Session = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--start", type=Path, help="continue from this model")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)  # a fixed order of sums makes the training deterministic
    random = np.random.default_rng(1)
    files = sorted(options.examples.glob("*.npz"))
    train = [_load(f) for n, f in enumerate(files) if n % HELD_OUT]
    test = [_load(f) for n, f in enumerate(files) if n % HELD_OUT == 0]
    every = np.clip(np.concatenate([session[0] for session in train]), -CUE_LIMIT, CUE_LIMIT)
    mean, std = every.mean(0), every.std(0) + 1e-3
    network = Network(len(mean), dense=UNITS, units=UNITS, outputs=2)
    if options.start is not None:
        mean, std = load(network, options.start)
        _report(network, test, mean, std)
        _report_words(network, test, mean, std)
    rate = FASTER if options.start is None else FAST
    _fit(network, train, mean, std, random, rate, options.epochs)
    _report(network, test, mean, std)
    _report_words(network, test, mean, std)
    save(network, options.model, mean, std)


def _load(path: Path) -> Session:
    with np.load(path) as file:
        cues, label, since = file["cues"], file["label"], file["since_onset"]
        unvoiced = file["unvoiced"]
    end = min(len(cues), len(label))
    brief = _brief(label, since)
    return cues[:end].astype(np.float32), label[:end], since[:end], unvoiced[:end], brief[:end]


def _brief(label: np.ndarray, since: np.ndarray) -> np.ndarray:
    """Mark the utterances that are one short word."""
    brief = np.zeros(len(label), bool)
    for start, end in itertools.pairwise([*np.flatnonzero(since == 0), len(label)]):
        brief[start:end] = 0 < np.count_nonzero(label[start:end] == VOICE) < BRIEF
    return brief


def _fit(
    network: Network,
    train: list[Session],
    mean: np.ndarray,
    std: np.ndarray,
    random: np.random.Generator,
    rate: float,
    epochs: int,
) -> None:
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate / 2, weight_decay=1e-2)
    steps = epochs * (sum(len(session[0]) // SEQUENCE for session in train) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for epoch in range(epochs):
        sequences = _sequences(train, random)
        order = random.permutation(len(sequences))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            picked = [sequences[n] for n in order[start : start + BATCH]]
            cues, label, since, *marks = (np.stack(p) for p in zip(*picked, strict=True))
            seen = scaled(cues, mean, std)
            # Other microphones and rooms shift each cue a little, for the whole sequence.
            seen = seen + 0.15 * torch.randn_like(seen) + 0.1 * torch.randn_like(seen[:, :1])
            loss = _loss(network(seen), label, since, *marks)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}", flush=True)


def _sequences(train: list[Session], random: np.random.Generator) -> list[Session]:
    found = []
    for session in train:
        length = len(session[0])
        for start in range(int(random.integers(SEQUENCE // 2)), length - SEQUENCE, SEQUENCE):
            part = slice(start, start + SEQUENCE)
            cues, label, since, unvoiced, brief = (a[part] for a in session)
            found.append((cues, label, since, unvoiced, brief))
    return found


def _loss(
    logits: torch.Tensor, label: np.ndarray, since: np.ndarray, unvoiced: np.ndarray,
    brief: np.ndarray,
) -> torch.Tensor:  # fmt: skip
    """Cross entropy of both outputs; the first quarter of a second counts most.

    Hisses within it count double, because they are rare, and a network that waits for the
    voice after them loses little otherwise.
    """
    voice = label == VOICE
    target = torch.from_numpy(voice.astype(np.float32))
    weight = np.ones(label.shape, np.float32)
    weight[(label == QUIET) & (since < 255)] = 0.1  # the user's pauses count for neither class
    weight[:, :30] *= 0.2  # the state starts empty only once per run
    first, second = weight.copy(), weight
    first[voice & (since < 4)] *= 0.3  # 40 ms are too short for any evidence
    first[voice & (since >= 4) & (since < 25)] *= 3.0
    first[voice & unvoiced & (since >= 4) & (since < 25)] *= UNVOICED_WEIGHT
    first[label == SHORT] = 0.0  # a cough may be held or not
    second[voice & (since < 10)] *= 0.1
    second[label == SHORT] *= SHORT_WEIGHT  # but is not speech
    second[voice & brief] *= BRIEF_WEIGHT
    total = torch.zeros(())
    for output, (w, share) in enumerate(((first, 1.0), (second, 0.5))):
        weights = torch.from_numpy(w)
        entropy = nn.functional.binary_cross_entropy_with_logits(
            logits[..., output], target, weight=weights, reduction="sum"
        )
        total = total + share * entropy / weights.sum()
    return total


@torch.no_grad()
def _report(network: Network, test: list[Session], mean: np.ndarray, std: np.ndarray) -> None:
    """Print false interruptions and users found within 200 ms, with two of three periods over p."""
    network.eval()
    likely = [torch.sigmoid(network(scaled(s[0], mean, std)[None]))[0, :, 0].numpy() for s in test]
    for threshold in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99):
        alarms = alone = users = found = hisses = hissed = 0
        for p, (_, label, since, unvoiced, _) in zip(likely, test, strict=True):
            over = np.convolve(p > threshold, np.ones(3))[: len(p)] >= 2
            nobody = (label == QUIET) & (since == 255)
            alone += int(nobody.sum())
            last = -100
            for at in np.flatnonzero(over & nobody):
                if at - last > 100:
                    alarms, last = alarms + 1, int(at)
            onsets = np.flatnonzero((label == VOICE) & (since == 0))
            users += len(onsets)
            found += sum(bool(over[at : at + 20].any()) for at in onsets)
            at_hiss = [at for at in onsets if unvoiced[at : at + 8].mean() > 0.6]
            hisses += len(at_hiss)
            hissed += sum(bool(over[at : at + 20].any()) for at in at_hiss)
        print(f"p > {threshold}: {alarms / alone * 360_000:.0f} alarms per hour,"
              f" {100 * found / users:.0f} % of {users} users within 200 ms,"
              f" {100 * hissed / max(hisses, 1):.0f} % of {hisses} that hiss first")  # fmt: skip


@torch.no_grad()
def _report_words(network: Network, test: list[Session], mean: np.ndarray, std: np.ndarray) -> None:
    """Print which utterances the second output takes for words during 100 ms."""
    network.eval()
    words = {"requests": [0, 0], "lone words": [0, 0], "hums and coughs": [0, 0]}
    for cues, label, since, _, brief in test:
        speech = torch.sigmoid(network(scaled(cues, mean, std)[None]))[0, :, 1].numpy()
        for start, end in itertools.pairwise([*np.flatnonzero(since == 0), len(label)]):
            lasts = since[start:end] < 255
            kind = "lone words" if brief[start] else "requests"
            if (label[start:end] == SHORT).any():
                kind = "hums and coughs"
            words[kind][0] += int(np.count_nonzero(speech[start:end][lasts] > 0.7) >= 10)
            words[kind][1] += 1
    print(*(f"{taken} of {count} {kind}" for kind, (taken, count) in words.items()), sep=", ")


if __name__ == "__main__":
    main()
