"""The counted instructions and the load that they imply for the processors of a Pi."""

import json
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from parleyd.units import PERIOD_MS

STATES = ("idle", "speaking")


@dataclass(frozen=True, slots=True)
class Board:
    """A processor that was not available: known clock rate, assumed instructions per cycle."""

    name: str
    core: str
    ghz: float
    per_cycle: tuple[float, float]
    """Assumed instructions per cycle: an interpreter with cache misses, and dense loops."""


BOARDS = (
    Board("Raspberry Pi 4, 1.8 GHz", "cortex-a72", 1.8, (0.8, 1.5)),  # out of order, three wide
    Board("Raspberry Pi 4, 1.5 GHz", "cortex-a72", 1.5, (0.8, 1.5)),
    Board("Zero 2 W, 1.0 GHz", "cortex-a53", 1.0, (0.4, 0.8)),  # in order, two wide
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of each period by state, in instructions or seconds."""

    name: str
    of: dict[str, list[float]]

    def at(self, state: str, percentile: float) -> float:
        return float(np.percentile(self.of[state], percentile))


def counted(name: str, counts: str, ticks: int) -> Cost:
    """Parse the output of count.c: two empty marks, then two marks for each period."""
    marks = [int(line.split()[1]) for line in counts.splitlines()]
    if len(marks) != 2 + 2 * ticks * len(STATES):
        raise ValueError(f"{name}: {len(marks)} marks were written, {2 + 4 * ticks} are expected")
    between = np.diff(marks)[::2]
    each = (between[1:] - between[0]).reshape(len(STATES), ticks)
    return Cost(
        name, {state: list(map(float, row)) for state, row in zip(STATES, each, strict=True)}
    )


def timed(answer: str) -> Cost:
    """Parse the output of a native run of replay.py."""
    return Cost("this machine", {state: json.loads(answer)[state] for state in STATES})


def show(native: Cost, costs: list[Cost]) -> None:
    """Print both tables."""
    console = Console(width=100, highlight=False)
    table = Table("million instructions per period of 10 ms", "median", "p95", "worst", "mean")
    for cost in costs:
        for state in STATES:
            table.add_row(
                f"{state}, {cost.name}",
                *(f"{cost.at(state, p) / 1e6:.2f}" for p in (50, 95, 100)),
                f"{np.mean(cost.of[state]) / 1e6:.2f}",
            )
    console.print(table)

    table = Table("estimated load", "assumed per cycle", "mean", "p95", "of one core")
    for board in BOARDS:
        for cost in costs:
            if cost.name == board.core:
                for state in STATES:
                    _estimate(table, board, cost, state)
    for state in STATES:
        mean_ms = float(np.mean(native.of[state])) * 1000
        p95_ms = native.at(state, 95) * 1000
        share = f"{mean_ms / PERIOD_MS:.0%}"
        row = ("(CPU time)", f"{mean_ms:.2f} ms", f"{p95_ms:.2f} ms", share)
        table.add_row(f"{state}, {native.name}", *row)
    console.print(table)


def _estimate(table: Table, board: Board, cost: Cost, state: str) -> None:
    def span(instructions: float, unit: float, form: str) -> str:
        slow, fast = (instructions / (board.ghz * 1e6 * each) / unit for each in board.per_cycle)
        return f"{fast:{form}} to {slow:{form}}"

    mean = float(np.mean(cost.of[state]))
    table.add_row(
        f"{state}, {board.name}",
        "{} to {}".format(*board.per_cycle),
        f"{span(mean, 1, '.1f')} ms",
        f"{span(cost.at(state, 95), 1, '.1f')} ms",
        span(mean, PERIOD_MS, ".0%"),
    )
