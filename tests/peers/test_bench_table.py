"""The table pools cells and gives bounds."""

from tests.bench.peers.table import MeasuredCell, table
from tests.bench.peers.trials import CellFigures, Interruption


def cell(client: str, *stops_ms: int | None) -> MeasuredCell:
    found = [Interruption(ms, 0 if ms else None, 5 if ms else None, 0) for ms in stops_ms]
    return MeasuredCell(client, "defaults", 0.0, 10.0, 80.0, CellFigures(found, 3, 1.0, 1, 2))


def test_cells_of_one_client_share_a_row() -> None:
    text = table([cell("parley", 60, 80), cell("parley", 100, None), cell("other", None)])
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in text.splitlines()]
    heading, separator, parley, other = rows
    assert len(heading) == len(separator) == len(parley) == len(other)
    assert parley[:6] == [
        "parley",
        "defaults",
        "+0 dB",
        "3/4 [30-95 %]",
        "3/4 [30-95 %]",
        "80 ms (98)",
    ]
    assert parley[7].startswith("1.0 [")
    assert other[5] == "-"
