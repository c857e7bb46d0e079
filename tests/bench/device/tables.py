"""Tables of figures: minimum, median, 95th percentile and maximum of each series."""

from collections.abc import Iterable, Mapping, Sequence

COLUMNS = ("least", "median", "p95", "worst", "n")

Series = Mapping[str, Sequence[float]]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def markdown(series: Series) -> str:
    """Format one row for each series; a series without values is "not measured"."""
    rows = [["", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for name, values in series.items():
        if values:
            summary = [min(values), percentile(values, 50), percentile(values, 95), max(values)]
            rows.append([name, *(_text(value) for value in summary), str(len(values))])
        else:
            rows.append([name, "not measured", "", "", "", "0"])
    return "\n".join(_row(row) for row in rows)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
