"""A real daemon on ALSA's null device at a real broker: who may open its microphone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from tests.mqtt.broker_rig import WITHIN_S, Rig, needs_broker, rig

pytestmark = [pytest.mark.slow, needs_broker]

CONFIG = """
[audio]
playback = "null"
capture = "null"
boot_chime = false
priority = 0
[realtime]
server = "embedded"
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    running = Daemon(tmp_path, CONFIG)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found


def test_home_assistant_mutes_and_opens_only_what_it_muted(daemon: Daemon, place: Rig) -> None:
    daemon.wait("READY=1")
    broker = place.broker()
    home = place.home(broker)
    process = place.process(broker.port)

    def parley(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "parleyd", *words], check=True, timeout=WITHIN_S)

    home.wait(status="online", state="idle", mute="OFF")
    home.command("mute", "ON")
    home.wait(mute="ON", state="muted")
    home.command("mute", "OFF")
    home.wait(mute="OFF", state="idle")
    parley("mute", "30")
    home.wait(mute="ON", state="muted")
    home.command("mute", "ON")
    home.live.clear()
    home.command("mute", "OFF")
    process.wait("the MQTT command mute was refused: home automation cannot open it")
    home.wait(mute="ON", state="muted")
    parley("unmute")
    home.wait(mute="OFF", state="idle")
    home.command("listen", "PRESS")
    home.wait(state="listening")
    home.command("stop", "PRESS")
    home.wait(state="idle")
    parley("volume", "35")
    home.wait(volume="35")
