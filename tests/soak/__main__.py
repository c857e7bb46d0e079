"""`python -m tests.soak`: a simulated day, or (`--real-time`) an hour in real time."""

import argparse
import os
from pathlib import Path

from tests.soak import day, real_time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--hours", type=float, default=24.0, help="simulated hours of all households together"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel processes")
    parser.add_argument("--house", choices=[*day.HOUSES, day.EARS], help="run only this household")
    parser.add_argument("--real-time", action="store_true", help="run the real daemon")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the real-time run")
    parser.add_argument(
        "--television", action="store_true", help="in real time: a television talks in the room"
    )
    parser.add_argument("--corpus", type=Path, help="its voices and music, instead of flite's")
    parser.add_argument("--report", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    if arguments.real_time:
        plan = real_time.Plan(
            arguments.minutes, arguments.seed, arguments.television, arguments.corpus
        )
        return real_time.run(plan, arguments.report)
    houses = [arguments.house] if arguments.house else list(day.HOUSES)
    return day.run(arguments.hours, arguments.seed, arguments.jobs, houses, arguments.report)


if __name__ == "__main__":
    raise SystemExit(main())
