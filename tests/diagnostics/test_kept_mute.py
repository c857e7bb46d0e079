"""A microphone that was closed by voice stays closed for programs that run without the daemon."""

import time
from pathlib import Path

import pytest

from parleyd.diagnostics.kept_mute import closed_by_voice
from parleyd.skills.store import Store


@pytest.mark.parametrize("muted_until", [-1.0, 4e9])
def test_mute_of_the_last_daemon_holds(tmp_path: Path, muted_until: float) -> None:
    Store(tmp_path / "skills.json").keep(muted_until=muted_until)
    assert "closed by voice" in closed_by_voice({"STATE_DIRECTORY": str(tmp_path)})


def test_clock_that_jumped_ends_no_mute(tmp_path: Path) -> None:
    """The device began at a wrong time, and NTP set the clock to days ahead."""
    since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    Store(tmp_path / "skills.json").keep(muted_until=1e9, muted_ends_s=since_boot_s + 3600)
    assert "closed by voice" in closed_by_voice({"STATE_DIRECTORY": str(tmp_path)})


def test_mute_that_has_ended_is_over(tmp_path: Path) -> None:
    assert closed_by_voice({"STATE_DIRECTORY": str(tmp_path)}) == ""
    Store(tmp_path / "skills.json").keep(muted_until=1e9, muted_ends_s=0.0)
    assert closed_by_voice({"STATE_DIRECTORY": str(tmp_path)}) == ""


def test_state_that_cannot_be_read_counts_as_closed(tmp_path: Path) -> None:
    (tmp_path / "skills.json").mkdir()
    assert "cannot be read" in closed_by_voice({"STATE_DIRECTORY": str(tmp_path)})
