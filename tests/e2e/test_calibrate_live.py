"""`parley calibrate` with the real daemon and the real alsa-lib: its figures, and its end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemon_process import RIG_CARDS, WITHIN_S, Daemon
from pulse_rig import PulseRig

from parleyd.cli.calibrate import calibrate
from parleyd.control.client import ControlClient
from parleyd.control.replies import MeasuredReply
from parleyd.control.requests import MeasureRequest
from parleyd.errors import ControlError
from tests.e2e.test_control import parley, started

TRIES = 3  # a loaded machine drops frames that pulse does not report
CONFIG = f'{RIG_CARDS}priority = 0\n[realtime]\nserver = "embedded"\n'


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")


@pytest.fixture
def daemon(rig: PulseRig, tmp_path: Path) -> Iterator[Daemon]:
    yield from started(tmp_path, CONFIG)


def calibrating(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "parleyd", "calibrate", "--skip-wake-word", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def until_it_says(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended with {process.wait()} without saying: {words}")


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def begun(daemon: Daemon) -> Iterator[subprocess.Popen[str]]:
    """The command in the block, while its first measurement runs."""

    def count() -> int:
        return daemon.log.read_text().count("measures the room")

    before = count()
    with calibrating("--config", str(daemon.config)) as process:
        try:
            until_it_says(process, "Silence")  # a line of the one before may come late to the log
            wait_for(lambda: count() > before)
            yield process
        finally:
            process.kill()


def measure(request: MeasureRequest) -> MeasuredReply:
    """Ask the daemon until no other measurement runs."""
    replies: list[MeasuredReply] = []

    def asked() -> bool:
        try:
            with ControlClient() as client:
                replies.append(client.ask(request, MeasuredReply, WITHIN_S))
        except ControlError as error:
            if error.code != "busy":
                raise
        return bool(replies)

    wait_for(asked)
    return replies[0]


def hears_its_sweep() -> bool:
    reply = measure(MeasureRequest(what="sweeps", volumes=(80,)))
    assert reply.sweeps is not None
    return any(sweep.heard and sweep.over_noise_db > 20 for sweep in reply.sweeps.sweeps)


def test_daemon_is_a_speaker_after_each_end_of_a_measurement(rig: PulseRig, daemon: Daemon) -> None:
    """A killed client, a microphone that closes, a reload, the end of the daemon."""
    rig.echo(50)
    with begun(daemon) as killed:
        killed.kill()
    assert any(hears_its_sweep() for _ in range(TRIES))

    with begun(daemon) as process:
        assert parley("mute").returncode == 0
        assert process.wait(WITHIN_S) == 5
    daemon.wait("STATUS=muted")
    assert rig.open_microphones() == 0
    refused = parley("calibrate", "--config", str(daemon.config), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (5, "muted")
    assert "quiet" not in parley("calibrate", "--config", str(daemon.config)).stdout
    assert parley("unmute").returncode == 0
    daemon.wait("STATUS=idle")

    with begun(daemon) as process:
        daemon.process.send_signal(signal.SIGHUP)
        assert process.wait(WITHIN_S) == 5
        assert process.stdout is not None
        assert "the configuration changes" in process.stdout.read()
    daemon.wait("READY=1")
    assert parley("listen").returncode == 0
    daemon.wait("STATUS=listening")
    assert parley("stop").returncode == 0
    daemon.wait("STATUS=idle")

    with begun(daemon) as process:
        assert daemon.end() == 0
        assert process.wait(WITHIN_S) in (5, 6)
    assert "Traceback" not in daemon.log.read_text()


def test_ctrl_c_alone_closes_card_and_microphone(rig: PulseRig, tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text(RIG_CARDS)
    with calibrating("--config", str(config)) as process:
        until_it_says(process, "rising")
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 130
    assert rig.open_microphones() == 0


def test_frozen_sound_server_is_an_error_and_no_hang(
    rig: PulseRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parleyd.diagnostics.measuring_alone.OPENS_WITHIN_S", 1.0)
    config = tmp_path / "parley.toml"
    config.write_text(RIG_CARDS)
    os.kill(rig.pid, signal.SIGSTOP)
    try:
        ran = CliRunner().invoke(calibrate, ["--json", "--config", str(config)])
    finally:
        os.kill(rig.pid, signal.SIGCONT)
    assert ran.exit_code == 1
    assert "cannot be opened" in json.loads(ran.stdout)["message"]  # alsa-lib waits, or gives up
