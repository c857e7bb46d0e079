"""The command line: python -m tests.bench.flat --help."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from pathlib import Path

from tests.bench.flat import tables, words
from tests.bench.flat.season import season


def main() -> None:
    parser = argparse.ArgumentParser(description=tables.__doc__)
    parser.add_argument("--words", type=Path, help="folder with recordings; else flite's voices")
    parser.add_argument("--flats", type=int, default=8, help="of each size")
    parser.add_argument("--warm-up", type=int, default=24, help="calls before those that count")
    parser.add_argument("--calls", type=int, default=40, help="that count, in each flat")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    clips = words.recorded(options.words) if options.words else words.spoken()
    print(f"{len(clips)} wake words, {options.flats} flats of each size, "
          f"{options.calls} calls in each, seed {options.seed}", flush=True)  # fmt: skip
    for rooms in (2, 3):
        seeds = range(options.seed * 100, options.seed * 100 + options.flats)
        found = [
            called
            for seed in seeds
            for called in season(rooms, clips, seed, options.warm_up, options.calls)
        ]
        print(tables.of(found, rooms), flush=True)


if __name__ == "__main__":
    main()
