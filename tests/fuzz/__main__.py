"""Runs the fuzzer for a while: `python -m tests.fuzz [--minutes 10] [--seed N] [--only NAME]`.

Prints a line for each round, and for each failure the smallest failing input and the place of
the failure. Equal seeds give equal inputs, round by round. Exits with 1 after any failure.
"""

import argparse
import secrets
import sys
import time
import traceback

from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 10  # per round, for a target of weight 1
SHOWN = 4000  # characters of an input to print


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--only", choices=[target.name for target in TARGETS])
    args = parser.parse_args()
    targets = [target for target in TARGETS if args.only in (None, target.name)]
    print(f"seed {args.seed}", flush=True)
    began = time.monotonic()
    failures: dict[str, str] = {}
    inputs = rounds = 0
    passed_s = 0.0
    while passed_s < args.minutes * 60:
        for target in targets:
            examples = EXAMPLES * target.weight
            inputs += examples
            found = failure(target, examples, args.seed + rounds)
            if found and found[0] not in failures:
                failures[found[0]] = found[1]
                print(f"\n{target.name}, seed {args.seed + rounds}: {found[1]}\n", flush=True)
        rounds += 1
        passed_s = time.monotonic() - began
        print(
            f"{passed_s / 60:5.1f} min, round {rounds}: {inputs} inputs, "
            f"{len(failures)} different failures",
            flush=True,
        )
    return 1 if failures else 0


def failure(target: Target, examples: int, seed: int) -> tuple[str, str] | None:
    """Run one round; returns the place of a failure and its report, None without one."""
    try:
        target.run(examples, seed)
    except Exception as error:
        if isinstance(error, ExceptionGroup):  # a flaky failure: the second attempt passed
            error = error.exceptions[0]
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "parleyd" in frame.filename]
        last = (ours or frames)[-1]
        where = f"{type(error).__name__} at {last.filename}:{last.lineno}"
        text = "\n".join([f"{where}: {error}", *getattr(error, "__notes__", ())])
        return where, text if len(text) <= SHOWN else f"{text[:SHOWN]} ... ({len(text)} characters)"
    return None


if __name__ == "__main__":
    sys.exit(main())
