"""Hooks of a real daemon, and its events as JSON lines."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_control import CONFIG, parley, started


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def hook(folder: Path) -> tuple[Path, str]:
    """A program that reports states through a named pipe, and the section that names it."""
    said, program = folder / "said", folder / "hook"
    os.mkfifo(said)
    program.write_text(f"#!/bin/sh\necho $PARLEY_STATE >{said}\n")
    program.chmod(0o755)
    return said, f'[hooks]\nstate = ["{program}"]\n'


def test_a_state_reaches_the_owners_program(tmp_path: Path) -> None:
    said, section = hook(tmp_path)
    with open(os.open(said, os.O_RDWR)) as states:  # also its writer: reading never ends
        for daemon in started(tmp_path, CONFIG + section):
            assert parley("listen").returncode == 0
            assert "listening" in iter(lambda: states.readline().strip(), "error")
            (tmp_path / "hook").unlink()
            daemon.config.write_text(CONFIG + section + "time_limit_s = 5\n")
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait("RELOADING=1")
            daemon.wait("READY=1")
            assert "configuration not reloaded: hooks.state: " in daemon.log.read_text()
            assert daemon.end() == 0


def test_events_go_on_with_the_next_daemon(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "parleyd", "events", "--topic", "state", "--wait"]
    (tmp_path / "next").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as events:
        assert events.stdout is not None
        for folder in (tmp_path, tmp_path / "next"):
            for _ in started(folder):
                first = json.loads(events.stdout.readline())
                assert first["type"] == "status"
                assert parley("listen").returncode == 0
                lines = (json.loads(line) for line in events.stdout)
                assert next(line for line in lines if line["indication"] == "listening")
        events.terminate()


def test_events_without_a_daemon_end_at_once() -> None:
    ended = parley("events")
    assert (ended.returncode, json.loads(ended.stdout)["error"]) == (3, "no_daemon")
