"""The parts of the instruction-count benchmark that need no emulator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.instructions import tables, tape

HERE = Path(tape.__file__).parent
TICKS = 5


@pytest.mark.slow
def test_tape_is_replayed_period_by_period(tmp_path: Path) -> None:
    tape.record(tmp_path / "tape", TICKS)
    command = [sys.executable, str(HERE / "replay.py"), str(tmp_path / "tape")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    took = json.loads(answer.stdout)
    assert {state: len(took[state]) for state in tables.STATES} == {
        "idle": TICKS,
        "speaking": TICKS,
    }


def test_counted_subtracts_the_cost_of_the_marks() -> None:
    marks = [100, 110]  # a mark costs 10
    for cost in (1000, 3000, 5000, 7000):  # two idle, two speaking; 50 between two periods
        marks += [marks[-1] + 50, marks[-1] + 60 + cost]
    counts = "".join(f"{index} {count}\n" for index, count in enumerate(marks))
    cost = tables.counted("x86-64", counts, ticks=2)  # type: ignore[assignment]
    assert cost.of == {"idle": [1000, 3000], "speaking": [5000, 7000]}  # type: ignore[attr-defined]
    assert cost.at("speaking", 100) == 7000  # type: ignore[attr-defined]


def test_counted_of_an_incomplete_run_raises() -> None:
    with pytest.raises(ValueError, match="3 marks were written, 10 are expected"):
        tables.counted("x86-64", "0 1\n1 2\n2 3\n", ticks=2)
