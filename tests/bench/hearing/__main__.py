"""The command line: python -m tests.bench.hearing --help."""

import os

# One thread per process: sessions run in parallel, and on a Pi the daemon has one core, too.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import dataclasses
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from parleyd.config import AudioConfig, Config, HearingConfig, WakeConfig
from parleyd.errors import ParleyError
from tests.bench.hearing import curve, recorded, scenes, session, tables, worker


def main() -> int:
    options = _options()
    try:
        pairs = options.set + ["barge_in=false"] * options.curve
        settings = _configured(pairs, stop_word=options.stop_word)
        origin = worker.load(options.corpus, options.split).origin
    except (ParleyError, msgspec.ValidationError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.corpus is None:
        print(
            "No --corpus: flite speaks, rooms and noises are synthesised. These figures only show"
            " whether a change has an effect; real voices give other figures.",
            file=sys.stderr,
        )
    if options.devices is not None:
        return _devices(options, settings)
    plan = scenes.plan(
        options.seed,
        hours=options.hours,
        users=options.users,
        starts=options.starts,
        only=set(options.scenes or ()),
    )
    if options.voices_under is not None:
        under = {"snr_db": options.voices_under}
        plan = [dataclasses.replace(scene, **under) if scene.voices else scene for scene in plan]
    if options.name:
        plan = [scene for scene in plan if options.name in scene.name]
    begin = time.monotonic()
    found = {"parley": _run(plan, options, settings, baseline=False)}
    if options.baseline:
        found["fixed threshold"] = _run(plan, options, settings, baseline=True)
    took_s = time.monotonic() - begin
    console = Console(width=132)
    console.print(f"{origin}, seed {options.seed}, {len(plan)} sessions, {settings.hearing}")
    for title, outcomes in found.items():
        if options.curve:
            curve.print_curve(console, outcomes)
        else:
            tables.print_all(console, outcomes, title)
    simulated_s = sum(o.simulated_s for outcomes in found.values() for o in outcomes)
    console.print(
        f"{simulated_s / 3600:.2f} simulated hours in {took_s:.0f} s: {simulated_s / took_s:.0f}"
        f" times real time on {options.jobs} processes"
    )
    if options.json:
        options.json.write_bytes(_json(found, origin, options, settings))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.hearing",
        description="Run the real core in simulated rooms, closed loop: measure detections and"
        " false interruptions.",
    )
    parser.add_argument("--corpus", type=Path, help="folder with near, far, noise, music and rooms")
    parser.add_argument("--devices", type=Path,
                        help="only close the loop over the recordings of this folder")  # fmt: skip
    parser.add_argument("--split", choices=("A", "B", "all"), default="all",
                        help="half of the rooms and voices: A to tune, B to validate")  # fmt: skip
    parser.add_argument("--hours", type=float, default=0.25,
                        help="hours without a user; music, moves, jumps: + 1/5 each")  # fmt: skip
    parser.add_argument("--users", type=int, default=200,
                        help="users that interrupt; moves, jumps: + 1/5 each")  # fmt: skip
    parser.add_argument("--starts", type=int, default=50, help="number of cold starts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", nargs="+", choices=scenes.KINDS, help="kinds of scenes to run")
    parser.add_argument("--voices-under", type=float, metavar="DB",
                        help="level of other voices under the user; 80: inaudible")  # fmt: skip
    parser.add_argument("--name", help="run only sessions whose name contains this")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE",
                        help="[hearing] settings, e.g. on_suspicion=duck")  # fmt: skip
    parser.add_argument("--stop-word", action=argparse.BooleanOptionalAction,
                        default=WakeConfig().stop_word, help="listen for it, too")  # fmt: skip
    parser.add_argument("--baseline", action="store_true",
                        help="also run a fixed threshold, as in hobby projects")  # fmt: skip
    parser.add_argument("--curve", action="store_true",
                        help="judge all thresholds, without barge-in")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write every trial and event to this file")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def _devices(options: argparse.Namespace, settings: Config) -> int:
    material = worker.load(options.corpus, options.split)
    each = max(1, options.users // len(recorded.ENRS_DB))
    try:
        found = recorded.run(options.devices, material, settings, each, options.seed)
    except ParleyError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    console = Console(width=150)
    console.print(f"{options.devices.name}, {material.origin}, seed {options.seed}")
    recorded.print_all(console, found)
    if options.json:
        options.json.write_bytes(msgspec.json.encode([dataclasses.asdict(h) for h in found]))
    return 0


def _configured(pairs: list[str], *, stop_word: bool) -> Config:
    hearing = msgspec.convert(
        dict(pair.split("=", 1) for pair in pairs), type=HearingConfig, strict=False
    )
    wake = WakeConfig(stop_word=stop_word)
    return Config(audio=AudioConfig(volume=100), hearing=hearing, wake=wake)


def _run(
    plan: list[scenes.Scene], options: argparse.Namespace, settings: Config, *, baseline: bool
) -> list[session.Outcome]:
    outcomes = []
    context = multiprocessing.get_context("spawn")
    arguments = (options.corpus, options.split, settings)
    with context.Pool(options.jobs, worker.begin, arguments) as pool:
        for outcome in pool.imap(worker.one, [(scene, baseline) for scene in plan]):
            outcomes.append(outcome)
            _progress(len(outcomes), len(plan), outcome)
    return outcomes


def _progress(done: int, of: int, outcome: session.Outcome) -> None:
    end = "\r" if sys.stderr.isatty() and done < of else "\n"
    if end == "\n" and done % 20 and done < of:
        return
    print(f"{done}/{of} {outcome.scene.name:<24}", end=end, file=sys.stderr, flush=True)


def _json(
    found: dict[str, list[session.Outcome]],
    origin: str,
    options: argparse.Namespace,
    settings: Config,
) -> bytes:
    document: dict[str, Any] = {
        "origin": origin,
        "seed": options.seed,
        "hearing": msgspec.to_builtins(settings.hearing),
        "tables": {title: tables.cells(outcomes) for title, outcomes in found.items()},
        "sessions": {
            title: [
                {
                    "scene": dataclasses.asdict(o.scene),
                    "room": o.room,
                    "fault_at_s": o.fault_at_s,
                    "alone": dataclasses.asdict(o.alone),
                    "trials": [dataclasses.asdict(trial) for trial in o.trials],
                }
                for o in outcomes
            ]
            for title, outcomes in found.items()
        },
    }
    return msgspec.json.encode(document)


if __name__ == "__main__":
    sys.exit(main())
