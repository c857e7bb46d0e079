"""The device benchmark's analysis of recordings and its tables."""

import numpy as np
import pytest

from tests.bench.device.sound import Chunk, loud_ms, loud_runs
from tests.bench.device.tables import markdown, percentile

RATE_HZ = 48_000


def tone(length_ms: int) -> np.ndarray:
    time_s = np.arange(length_ms * RATE_HZ // 1000) / RATE_HZ
    return np.rint(12_000 * np.sin(2 * np.pi * 570 * time_s)).astype(np.int16)


def silence(length_ms: int) -> np.ndarray:
    return np.zeros(length_ms * RATE_HZ // 1000, np.int16)


def read(frames: np.ndarray, begins_at: float, period: int = 240) -> list[Chunk]:
    """Split frames into periods, each with the time at which it is complete."""
    pieces = [frames[i : i + period] for i in range(0, len(frames), period)]
    ends = np.cumsum([len(piece) for piece in pieces])
    return [
        Chunk(piece, begins_at + end / RATE_HZ) for piece, end in zip(pieces, ends, strict=True)
    ]


def test_loud_runs_returns_one_run_per_sound_with_its_times() -> None:
    frames = np.concatenate([silence(100), tone(333), silence(50), tone(40), silence(7)])
    first, second = loud_runs(read(frames, begins_at=10.0), RATE_HZ)
    assert first.begins_at == pytest.approx(10.100, abs=0.001)
    assert first.ends_at == pytest.approx(10.433, abs=0.001)
    assert second.begins_at == pytest.approx(10.483, abs=0.001)
    assert second.ends_at == pytest.approx(10.523, abs=0.001)
    assert loud_ms([first, second], RATE_HZ) == pytest.approx(373, abs=2)


def test_loud_runs_with_a_late_read_moves_only_the_end() -> None:
    chunks = read(tone(100), begins_at=0.0)
    late = [*chunks[:-1], Chunk(chunks[-1].frames, chunks[-1].read_at + 0.030)]
    (run,) = loud_runs(late, RATE_HZ)
    assert run.ends_at == pytest.approx(0.130, abs=0.001)
    assert loud_ms([run], RATE_HZ) == pytest.approx(100, abs=1)


def test_loud_runs_of_silence_is_empty() -> None:
    assert loud_runs([], RATE_HZ) == []
    assert loud_runs(read(silence(20), 0.0), RATE_HZ) == []


def test_percentile_is_a_measured_value() -> None:
    values = [float(n) for n in range(20, 0, -1)]
    assert percentile(values, 50) == 10
    assert percentile(values, 95) == 19
    assert percentile([7.0], 95) == 7.0


def test_markdown_marks_figures_that_were_not_measured() -> None:
    table = markdown({"silence": [1.0, 2.0, 30.25], "LED": []})
    assert "| silence | 1.0 | 2.0 | 30.2 | 30.2 | 3 |" in table
    assert "| LED | not measured |" in table
