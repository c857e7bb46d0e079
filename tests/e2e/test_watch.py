"""`parley watch` on a real daemon with the embedded server, in a real pseudo-terminal."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from parleyd.control.client import ControlClient
from parleyd.control.replies import Done
from parleyd.control.requests import ListenRequest, StopRequest
from tests.e2e.test_control import parley, started
from tests.e2e.watched import ENTER, LEAVE, WatchedTerminal


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    yield from started(tmp_path)


def test_watch_follows_the_daemon_and_gives_the_terminal_back(daemon: Daemon) -> None:
    with WatchedTerminal() as terminal, ControlClient() as client:
        place = terminal.wait_for("q ends")
        place = terminal.wait_for("link up", place)
        client.ask(ListenRequest(), Done)
        place = terminal.wait_for("listening", place)
        assert terminal.settings() != terminal.before
        terminal.resize(60, 15)
        place = terminal.wait_for("\x1b[2J", place)
        place = terminal.wait_for("\x1b[15;1H", place)
        client.ask(StopRequest(), Done)
        terminal.wait_for("idle", place)
        terminal.press(b"q")
        assert terminal.ended() == 0
        assert terminal.settings() == terminal.before
        assert terminal.written.startswith(ENTER)
        assert terminal.written.endswith(LEAVE)
    _other_ends_give_the_terminal_back()
    _other_outputs_are_plain()


def _other_ends_give_the_terminal_back() -> None:
    for key, status in ((b"\x03", 0), (b"", 143)):
        with WatchedTerminal() as terminal:
            terminal.wait_for("link up")
            terminal.press(key) if key else terminal.process.terminate()
            assert terminal.ended() == status
            assert terminal.settings() == terminal.before
            assert terminal.written.endswith(LEAVE)
            assert b"Traceback" not in terminal.written


def _other_outputs_are_plain() -> None:
    with WatchedTerminal(term="dumb") as terminal:
        terminal.wait_for("link up")
        assert b"\x1b" not in terminal.written
        terminal.press(b"\x03")
        assert terminal.ended() == 0
    for options, lines in (((), 3), (("--json",), 5)):
        command = [sys.executable, "-m", "parleyd", "watch", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
            assert watch.stdout is not None
            told = [watch.stdout.readline().decode() for _ in range(lines)]
            watch.terminate()
        if options:
            types = [json.loads(line)["type"] for line in told]
            assert types[0] == "status"
            assert "levels" in types
        else:
            assert all(
                "link up" in line and line.isprintable() for line in map(str.strip, told[2:])
            )


def test_watch_waits_for_the_next_daemon(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    for daemon in started(tmp_path):
        with WatchedTerminal() as terminal:
            place = terminal.wait_for("link up")
            assert daemon.end() == 0
            place = terminal.wait_for("waiting for the next one", place)
            for _ in started(tmp_path / "next"):
                terminal.wait_for("link up", place)
                terminal.press(b"q")
                assert terminal.ended() == 0
            assert terminal.settings() == terminal.before


def test_watch_without_a_daemon_is_one_line() -> None:
    with WatchedTerminal() as terminal:
        assert terminal.ended() == 3
        terminal.wait_for("no daemon runs")
        assert b"\x1b" not in terminal.written
    ended = parley("watch", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["error"]) == (3, "no_daemon")
