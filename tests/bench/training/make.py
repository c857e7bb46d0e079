"""Makes the training examples: python -m tests.bench.training.make --help.

A second run with the same folder makes only the sessions that are missing.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np

from tests.bench.hearing import material
from tests.bench.training import examples

SESSIONS_PER_MATERIAL = 50  # then new voices, rooms and noises are drawn
_SEED = 78


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make training examples for the near-end classifier."
    )
    parser.add_argument(
        "--corpus", type=Path, required=True, help="corpus folder, as for the bench"
    )
    parser.add_argument("--gathered", type=Path, required=True, help="folder filled by gather.py")
    parser.add_argument("--split", choices=("A", "B", "all"), default="A")
    parser.add_argument("--sessions", type=int, default=1659, help="sessions of about 36 s each")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = range(-(-options.sessions // SESSIONS_PER_MATERIAL))
    make = partial(_make, options)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for done, _ in enumerate(pool.imap_unordered(make, parts), start=1):
            print(f"{done * SESSIONS_PER_MATERIAL} sessions", flush=True)


def _make(options: argparse.Namespace, part: int) -> None:
    first = part * SESSIONS_PER_MATERIAL
    numbers = range(first, min(first + SESSIONS_PER_MATERIAL, options.sessions))
    missing = [number for number in numbers if not _file(options.out, number).exists()]
    if not missing:
        return
    corpus = material.load(options.corpus, options.split)
    gathered = material.load(options.gathered, "all")
    wide = examples.drawn(corpus, gathered, np.random.default_rng((5, part)))
    for number in missing:
        made = examples.listen(examples.scene((_SEED, number), wide), wide)
        unfinished = options.out / f"{number:05d}.part"
        with unfinished.open("wb") as file:
            np.savez(
                file, cues=made.cues, label=made.label, since_onset=made.since_onset,
                unvoiced=made.unvoiced,
            )  # fmt: skip
        unfinished.rename(_file(options.out, number))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


if __name__ == "__main__":
    main()
