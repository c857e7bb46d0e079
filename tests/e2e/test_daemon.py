"""The daemon as the service runs it: a real process, alsa-lib, notify socket, and real speech."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pulse_rig import PulseRig, loud_frames

from parleyd.room.clips import normalised, synthesize
from parleyd.units import Frames

LOUD = 500  # peaks of the voice are in the thousands
WITHIN_S = 60.0  # generous: a loaded machine starts Python, the models and pulse slowly

CONFIG = """
[audio]
playback = "speaker"
capture = "mic"
playback_channels = 2
lead_ms = 100
[turn]
follow_up_s = 0
"""


class Daemon:
    """`parley run` as a child, with this test as its service manager."""

    def __init__(self, folder: Path, config: str) -> None:
        self.config = folder / "parley.toml"
        self.config.write_text(config)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(folder / "notify")
        self._socket.bind(address)
        self._told: queue.Queue[str] = queue.Queue()
        self.statuses: list[str] = []
        self.log = folder / "log"
        environ = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parleyd", "run", "--config", str(self.config)],
                env={**environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"},
                stderr=log,
                stdout=log,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self, what: str) -> None:
        """Until this was told to the service manager: ``READY=1``, ``STATUS=idle``."""
        while True:
            try:
                told = self._told.get(timeout=WITHIN_S)
            except queue.Empty:
                raise AssertionError(
                    f"{what} was not told; {self.statuses[-5:]}\n{self.log.read_text()}"
                ) from None
            self.statuses.append(told)
            if told == what:
                return

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()

    def _listen(self) -> None:
        try:
            while True:
                for line in self._socket.recv(4096).decode().splitlines():
                    self._told.put(line)
        except OSError:
            pass


@pytest.fixture
def daemon(rig: PulseRig, tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(tmp_path, CONFIG)
    try:
        running.wait("READY=1")
        running.wait("STATUS=idle")
        yield running
    finally:
        running.close()


def spoken(*texts: str) -> Frames:
    """Sentences with pauses as people make them, in the voice that the wake word knows."""
    pause = np.zeros(4800, np.int16)
    parts = [normalised(synthesize(text, "rms"), -24.0) for text in texts]
    return np.concatenate([np.zeros(8000, np.int16), *(np.append(p, pause) for p in parts)])


def test_it_wakes_answers_and_is_silent_when_stopped_in_mid_sentence(
    rig: PulseRig, daemon: Daemon
) -> None:
    rig.say(spoken("hey jarvis", "tell me a story"))
    for state in ("listening", "thinking", "speaking"):
        daemon.wait(f"STATUS={state}")
    assert rig.heard.wait_for(LOUD, count=24_000), "the story is not heard"
    assert daemon.end() == 0
    rig.heard.clear()
    assert rig.heard.wait_for(0, count=24_000)
    assert loud_frames(rig.heard.frames(), LOUD) == 0, "it talks on after its end"
    assert "STOPPING=1" in [*daemon.statuses, *drained(daemon)]
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "story" not in log  # no transcript in the log


def drained(daemon: Daemon) -> list[str]:
    told = []
    while not daemon._told.empty():
        told.append(daemon._told.get())
    return told


def test_reload_keeps_what_works_and_takes_what_is_good(rig: PulseRig, daemon: Daemon) -> None:
    daemon.config.write_text(CONFIG + "\n[wake]\nkeyword = 'x'\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("READY=1")
    daemon.config.write_text(CONFIG + "\n[log]\nlevel = 'debug'\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("READY=1")
    daemon.wait("STATUS=idle")
    daemon.wait("WATCHDOG=1")
    assert daemon.end() == 0
    log = daemon.log.read_text()
    assert "wake.keyword: is unknown, did you mean keywords?" in log
    assert "configuration reloaded" in log
    assert "Traceback" not in log
