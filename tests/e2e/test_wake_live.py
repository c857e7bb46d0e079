"""`parley wake test` without a file: the score of a running daemon."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from parleyd.control.replies import LevelsMeasured, Logged
from parleyd.control.server import ControlServer
from tests.control.socket_rig import serving
from tests.e2e.test_control import parley, started
from tests.e2e.watched import WatchedTerminal

HEARD = Logged(name="wake", fields={"keyword": "hey\x1b[2Jjarvis", "state": "idle"})


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    yield from started(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    levels = LevelsMeasured(wake=0.5, wake_cutoff=0.8, buffered_ms=0)
    folder = tmp_path / "state" / "parley"
    folder.mkdir(parents=True)
    with serving(folder, levels=lambda: levels) as (server, _):
        yield server


def test_the_daemons_score_is_shown_until_ctrl_c(daemon: Daemon) -> None:
    with WatchedTerminal("wake", "test") as terminal:
        terminal.wait_for("score 0.0")
        terminal.press(b"\x03")
        assert terminal.ended() == 0
        terminal.wait_for("0 found")


def test_each_word_counts_and_is_printable(server: ControlServer) -> None:
    with WatchedTerminal("wake", "test") as terminal:
        terminal.wait_for(f"score 0.50 {'#' * 20}{'.' * 12}|{'.' * 7} highest 0.50")
        server.publish(HEARD)
        server.publish(HEARD)
        place = terminal.wait_for("   2  hey")
        terminal.press(b"\x03")
        terminal.wait_for("2 found", place)
        assert b"\x1b[2J" not in terminal.written


def test_json_has_scores_and_words(server: ControlServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "parleyd", "wake", "test", "--json"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"wake": 0.5, "wake_cutoff": 0.8}
        server.publish(HEARD)
        words = (json.loads(line) for line in process.stdout)
        assert next(word for word in words if "name" in word)["fields"]["state"] == "idle"
        process.terminate()


def test_without_a_daemon_the_remedy_is_named() -> None:
    ended = parley("wake", "test")
    assert ended.returncode == 3
    assert "no daemon runs: sudo systemctl start parleyd" in ended.stderr
    assert "Traceback" not in ended.stderr
