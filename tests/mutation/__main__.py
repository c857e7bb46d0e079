"""Checks that tests catch faults: `python -m tests.mutation [--module NAME] [--sample N]`.

Makes one small fault at a time in a module of the core and runs the quick tests nearest to it.
Prints each fault that no test catches, with file, line and change, then the share of caught
faults. Equal seeds give equal samples and scores.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from random import Random

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.nearest import NEAREST, QUICK, ROOT, nearest_to, source_of
from tests.mutation.running import Outcome, Run, load_before, run_all


def main() -> int:
    arguments = _arguments()
    os.chdir(ROOT)
    sys.dont_write_bytecode = False  # rewrite assertions once, not for each mutant
    mutants = _sample(_names(arguments.module, arguments.quick), arguments)
    if arguments.list:
        for name, mutant in mutants:
            print(f"{name}:{mutant.line} {mutant.name}\n{mutant.diff()}")
        return 0
    load_before()
    files = list(dict.fromkeys(file for name, _ in mutants for file in nearest_to(name)))
    log = Path(arguments.log) if arguments.log else None
    if next(run_all([Run(files, log=log, times=len(files))], 1)) is not Outcome.SURVIVED:
        print("The tests fail without a fault, so they prove nothing: run pytest first.")
        return 2
    return _report(mutants, arguments)


def _report(mutants: list[tuple[str, Mutant]], arguments: argparse.Namespace) -> int:
    noticed, since = 0, time.monotonic()

    runs = [Run(nearest_to(name), f"parleyd.{name}", mutant.after) for name, mutant in mutants]
    for (_, mutant), outcome in zip(mutants, run_all(runs, arguments.jobs), strict=True):
        if outcome in (Outcome.KILLED, Outcome.TIMED_OUT):
            noticed += 1
            continue
        place = Path(mutant.path).relative_to(ROOT)
        print(f"{outcome.value.upper()} {place}:{mutant.line} ({mutant.name})", flush=True)
        print(mutant.diff(), flush=True)
    share = 100 * noticed / len(mutants) if mutants else 100.0
    print(
        f"mutation score {share:.0f} %: the tests catch {noticed} of {len(mutants)} faults"
        f" (seed {arguments.seed}, {time.monotonic() - since:.0f} s)"
    )
    if share < arguments.floor:
        print(f"The floor is {arguments.floor} %: add tests that catch the survivors above.")
        return 1
    return 0


def _sample(names: list[str], arguments: argparse.Namespace) -> list[tuple[str, Mutant]]:
    mutants = [
        (name, mutant)
        for name in names
        for mutant in mutants_of(str(source_of(name)), source_of(name).read_text())
    ]
    if 0 < arguments.sample < len(mutants):
        chosen = Random(arguments.seed).sample(range(len(mutants)), arguments.sample)
        mutants = [mutants[index] for index in sorted(chosen)]
    return mutants


def _names(asked: list[str], quick: bool) -> list[str]:
    unknown = [name for name in asked if name not in NEAREST]
    if unknown:
        sys.exit(f"unknown module {unknown[0]}; known: {', '.join(NEAREST)}")
    return asked or list(QUICK if quick else NEAREST)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "--module", action="append", default=[], help="core.turn, realtime.backoff, ..."
    )
    parser.add_argument("--sample", type=int, default=0, help="number of mutants (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="only modules with tests of about a second"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parallel processes")
    parser.add_argument("--floor", type=float, default=0, help="fail below this score, in percent")
    parser.add_argument("--list", action="store_true", help="print the mutants and exit")
    parser.add_argument("--log", help="file for the output of the tests without a fault")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
