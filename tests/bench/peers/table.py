"""The table of all cells, in Markdown. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.hearing.bounds import rate_bounds, share_bounds
from tests.bench.peers.trials import CellFigures, Interruption

HEADING = (
    "| client | setting | echo to user | stopped within 2 s | for good | onset to silence,"
    " median (p95) | old answer after the stop, median (worst) | lost for nothing, a minute"
    " | paused, a minute | reported minus heard, median (worst) | first sound lost, median (worst)"
    " | CPU | memory |"
)
SEPARATOR = "|" + "---|" * 13


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """One cell whose rig kept up."""

    client: str
    setting: str
    enr_db: float
    cpu_percent: float
    memory_mb: float
    figures: CellFigures


def table(cells: Iterable[MeasuredCell]) -> str:
    """Return the table; cells of one client, setting and ENR share a row."""
    rows: dict[tuple[str, str, float], list[MeasuredCell]] = defaultdict(list)
    for cell in cells:
        rows[cell.client, cell.setting, cell.enr_db].append(cell)
    return "\n".join((HEADING, SEPARATOR, *(_row(rows[key]) for key in rows)))


def _row(cells: Sequence[MeasuredCell]) -> str:
    first = cells[0]
    found = [one for cell in cells for one in cell.figures.interruptions]
    stops = [one.stop_ms for one in found if one.stopped and one.stop_ms is not None]
    minutes = sum(cell.figures.alone_min for cell in cells)
    columns = (
        first.client,
        first.setting,
        f"{first.enr_db:+.0f} dB",
        _share(sum(one.stopped for one in found), len(found)),
        _share(sum(one.for_good for one in found), len(found)),
        _spread(stops),
        _worst([one.dead_ms for one in found if one.stopped]),
        _rate(sum(cell.figures.lost for cell in cells), minutes),
        _rate(sum(cell.figures.paused for cell in cells), minutes),
        _worst([one.told_error_ms for one in found if one.stopped]),
        _worst(list(map(_lost_ms, found))),
        f"{np.mean([cell.cpu_percent for cell in cells]):.0f} %",
        f"{max(cell.memory_mb for cell in cells):.0f} MB",
    )
    return "| " + " | ".join(columns) + " |"


def _lost_ms(one: Interruption) -> int | None:
    return one.lost_ms


def _share(hits: int, trials: int) -> str:
    low, high = share_bounds(hits, trials)
    return f"{hits}/{trials} [{100 * low:.0f}-{100 * high:.0f} %]" if trials else "0/0"


def _rate(events: int, minutes: float) -> str:
    low, high = rate_bounds(events, minutes)
    return f"{events / minutes:.1f} [{low:.1f}-{high:.1f}]" if minutes else "-"


def _spread(ms: Sequence[int]) -> str:
    if not ms:
        return "-"
    return f"{np.median(ms):.0f} ms ({np.percentile(ms, 95):.0f})"


def _worst(ms: Sequence[int | None]) -> str:
    known = [value for value in ms if value is not None]
    if not known:
        return "-"
    return f"{np.median(known):.0f} ms ({max(known, key=abs):.0f})"
