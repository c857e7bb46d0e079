"""One daemon for each state folder."""

import os
import subprocess
import sys
from pathlib import Path

from parleyd import disk


def test_a_second_daemon_refuses_to_start_and_says_why(tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    environ.pop("STATE_DIRECTORY", None)
    with disk.held(tmp_path / "parley"):
        ended = subprocess.run(
            [sys.executable, "-m", "parleyd", "run", "--wait-for-card"],
            env=environ, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"parley: another Parley (process {os.getpid()}) uses the state folder")
    assert str(tmp_path / "parley") in line
