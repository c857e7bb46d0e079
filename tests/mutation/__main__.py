"""Do the tests notice a fault? `python -m tests.mutation [--module NAME] [--sample N]`.

Makes one small fault at a time in a module of the core, runs the tests nearest to it (the
quick ones), and prints each fault that no test noticed, with file, line and what was
changed, then the share that was noticed. One seed gives one sample and one score.
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
    sys.dont_write_bytecode = False  # assertions are rewritten once, not for each mutant
    mutants = _sample(_names(arguments.module, arguments.quick), arguments)
    if arguments.list:
        for name, mutant in mutants:
            print(f"{name}:{mutant.line} {mutant.name}\n{mutant.diff()}")
        return 0
    load_before()
    files = list(dict.fromkeys(file for name, _ in mutants for file in nearest_to(name)))
    log = Path(arguments.log) if arguments.log else None
    if next(run_all([Run(files, log=log, times=len(files))], 1)) is not Outcome.SURVIVED:
        print("The tests fail without any fault, so they prove nothing: run pytest first.")
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
        f"mutation score {share:.0f} %: the tests notice {noticed} of {len(mutants)} faults"
        f" (seed {arguments.seed}, {time.monotonic() - since:.0f} s)"
    )
    if share < arguments.floor:
        print(f"The floor is {arguments.floor} %: test the promises behind the survivors above.")
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
        sys.exit(f"unknown module {unknown[0]}; known are {', '.join(NEAREST)}")
    return asked or list(QUICK if quick else NEAREST)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "--module", action="append", default=[], help="core.turn, realtime.backoff, ..."
    )
    parser.add_argument("--sample", type=int, default=0, help="as many mutants; all by default")
    parser.add_argument("--quick", action="store_true", help="modules whose tests take a second")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--floor", type=float, default=0, help="fail under this score, in percent")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    parser.add_argument("--log", help="where the tests without a fault print to")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
