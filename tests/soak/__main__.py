"""`python -m tests.soak`: a simulated day, or (`--real-time`) an hour of real life."""

import argparse
import os
from pathlib import Path

from tests.soak import day, real_time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated, of all houses")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--house", choices=[*day.HOUSES, day.EARS], help="only this one")
    parser.add_argument("--real-time", action="store_true", help="the real daemon, by the clock")
    parser.add_argument("--minutes", type=float, default=60.0, help="of real time")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file, too")
    arguments = parser.parse_args()
    if arguments.real_time:
        return real_time.run(arguments.minutes, arguments.seed, arguments.report)
    houses = [arguments.house] if arguments.house else list(day.HOUSES)
    return day.run(arguments.hours, arguments.seed, arguments.jobs, houses, arguments.report)


if __name__ == "__main__":
    raise SystemExit(main())
