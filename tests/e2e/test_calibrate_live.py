"""`parley calibrate` with the real daemon and the real alsa-lib: its figures, and its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_process import RIG_CARDS, WITHIN_S, Daemon
from pulse_rig import PulseRig

from parleyd.control.client import ControlClient
from parleyd.control.replies import MeasuredReply
from parleyd.control.requests import MeasureRequest
from parleyd.errors import ControlError
from tests.e2e.test_control import parley, started

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


def test_daemon_hears_its_sweep_and_is_a_speaker_after_a_killed_client(
    rig: PulseRig, daemon: Daemon
) -> None:
    rig.echo(50)
    with calibrating("--config", str(daemon.config)) as killed:
        until_it_says(killed, "Silence")
        wait_for(lambda: "measures the room" in daemon.log.read_text())
        killed.kill()
    reply = measure(MeasureRequest(what="sweeps", volumes=(80,)))
    assert reply.sweeps is not None
    (sweep,) = reply.sweeps.sweeps
    assert sweep.heard
    assert sweep.over_noise_db > 20
    assert "measures the room: silence" in daemon.log.read_text()
    assert parley("listen").returncode == 0
    daemon.wait("STATUS=listening")


def test_microphone_that_closes_ends_the_command(rig: PulseRig, daemon: Daemon) -> None:
    with calibrating("--config", str(daemon.config)) as process:
        until_it_says(process, "Silence")
        assert parley("mute").returncode == 0
        assert process.wait(WITHIN_S) == 5
    daemon.wait("STATUS=muted")
    assert rig.open_microphones() == 0
    refused = parley("calibrate", "--config", str(daemon.config), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (5, "muted")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
def test_signal_alone_closes_card_and_microphone(
    rig: PulseRig, tmp_path: Path, ending: signal.Signals
) -> None:
    config = tmp_path / "parley.toml"
    config.write_text(RIG_CARDS)
    with calibrating("--config", str(config)) as process:
        until_it_says(process, "rising")
        process.send_signal(ending)
        assert process.wait(WITHIN_S) == 128 + ending
    assert rig.open_microphones() == 0
