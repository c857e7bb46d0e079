"""Runs the cells of the peers' table, two at a time, and prints it.

Each cell is a client with a setting at one echo-to-user ratio (ENR); it takes about three
minutes. A cell in which the rig did not keep up is thrown away and repeated.
`tests/bench/peers/install` installs the peers first.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from parleyd.errors import ParleyError
from parleyd.units import Frames
from tests.bench.peers import record, sounds
from tests.bench.peers.clients import CACHE, CLIENTS
from tests.bench.peers.table import MeasuredCell, table
from tests.bench.peers.trials import CellAnalysis

ENR_DB = (-40.0, 0.0, 10.0)  # a headset; as loud as the user; louder
CELL_WITHIN_S = 420.0
PACKAGES = {"livekit": "livekit_agents", "openai-agents": "openai_agents", "pipecat": "pipecat_ai"}


@dataclass(frozen=True, slots=True)
class CellPlan:
    client: str
    """Name and setting, with a colon."""
    enr_db: float
    seed: int
    folder: Path


def main() -> None:
    """Run, read, print. Exit status 1: a cell is missing."""
    options = _options()
    plans = list(_plans(options))
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda plan: _run(plan, options), plans))
    cells = [cell for cell in found if cell is not None]
    print(table(cells))
    print("\nversions:", ", ".join(_versions()))
    sys.exit(0 if len(cells) == len(plans) else 1)


def _plans(options: argparse.Namespace) -> Iterator[CellPlan]:
    for client, enr_db, seed in itertools.product(options.clients, options.enr, options.seeds):
        name = f"{client.replace(':', '-')}@{enr_db:+.0f}-{seed}"
        yield CellPlan(client, enr_db, seed, options.out / name)


def _run(plan: CellPlan, options: argparse.Namespace) -> MeasuredCell | None:
    """Run a cell until its rig keeps up, `--attempts` times at most; keep it if it is there."""
    cell = _read(plan, options.corpus)
    for attempt in range(0 if options.only_table else options.attempts):
        if cell is not None:
            break
        shutil.rmtree(plan.folder, ignore_errors=True)
        command = [sys.executable, "-m", "tests.bench.peers.cell", plan.client]
        command += [f"--enr={plan.enr_db}", f"--seed={plan.seed}", "--out", str(plan.folder)]
        command += [f"--trials={options.trials}", f"--alone={options.alone}"]
        command += ["--corpus", str(options.corpus)] if options.corpus else []
        print(f"{plan.folder.name}, attempt {attempt + 1}", file=sys.stderr)
        try:
            subprocess.run(command, check=True, timeout=CELL_WITHIN_S)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"{plan.folder.name}: {error}", file=sys.stderr)
        cell = _read(plan, options.corpus)
    return cell


def _read(plan: CellPlan, corpus: Path | None) -> MeasuredCell | None:
    """Return the cell; None if it is missing, or if its rig did not keep up."""
    try:
        about, recorded, rig = record.read(plan.folder, _clips(corpus, plan.seed))
    except OSError:
        return None
    if faults := rig.faults():
        print(f"{plan.folder.name}: {'; '.join(faults)}", file=sys.stderr)
        return None
    return MeasuredCell(
        about["client"], about["setting"], about["enr_db"], about["cpu_percent"],
        about["memory_mb"], CellAnalysis(recorded).figures(),
    )  # fmt: skip


@cache
def _clips(corpus: Path | None, seed: int) -> dict[str, Frames]:
    return dict(sounds.make(corpus, seed).lines)


def _versions() -> Iterator[str]:
    for peer, package in PACKAGES.items():
        for found in (CACHE / peer).glob(f"lib/python3*/site-packages/{package}-*.dist-info"):
            yield found.name.removesuffix(".dist-info").replace("-", " ").replace("_", "-")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    known = [f"{client.name}:{client.setting}" for client in CLIENTS]
    parser.add_argument("--clients", nargs="+", choices=known, default=known, metavar="CLIENT")
    parser.add_argument("--enr", nargs="+", type=float, default=list(ENR_DB), metavar="DB")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--trials", type=int, default=10, help="interruptions in a cell")
    parser.add_argument("--alone", type=float, default=30.0, help="seconds without a talker")
    parser.add_argument(
        "--corpus", type=Path, help="recorded voices and rooms, as of bench.hearing"
    )
    parser.add_argument("--out", type=Path, default=Path("peers"), help="folder of the recordings")
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time; two on two cores")
    parser.add_argument("--attempts", type=int, default=3)
    parser.add_argument("--only-table", action="store_true", help="read the recordings of --out")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except ParleyError as error:
        sys.exit(str(error))
