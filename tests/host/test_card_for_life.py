"""The daemon as a service, through alsa-lib: no card at the start, one that comes, goes, comes."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulse_rig import PulseRig, RigUnavailable

from parleyd.room.clips import normalised, synthesize

WITHIN_S = 60.0
CONFIG = """
[audio]
playback = "speaker"
capture = "mic"
playback_channels = 2
lead_ms = 100
"""


@pytest.fixture
def own_rig() -> Iterator[PulseRig]:
    """One that may be killed."""
    try:
        with PulseRig() as rig:
            yield rig
    except RigUnavailable as reason:
        pytest.skip(f"ALSA IS NOT TESTED: {reason}")


class Service:
    """`parley run`, told by its environment that systemd started it."""

    def __init__(self, folder: Path) -> None:
        (folder / "parley.toml").write_text(CONFIG)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._told: queue.Queue[str] = queue.Queue()
        self.log = folder / "log"
        environ = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*(sys.executable, "-m", "parleyd", "run"), "--config", folder / "parley.toml"],
                env={**environ, "NOTIFY_SOCKET": str(folder / "notify")},
                stderr=log,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self, beginning: str) -> str:
        """Until something that begins so was told to the service manager."""
        while True:
            try:
                told = self._told.get(timeout=WITHIN_S)
            except queue.Empty:
                raise AssertionError(f"{beginning} was not told\n{self.log.read_text()}") from None
            if told.startswith(beginning):
                return told

    def close(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WITHIN_S)
        finally:
            self.process.kill()
            self._socket.close()

    def _listen(self) -> None:
        try:
            while True:
                for line in self._socket.recv(4096).decode().splitlines():
                    self._told.put(line)
        except OSError:
            pass


def test_a_service_outlives_its_card(own_rig: PulseRig, tmp_path: Path) -> None:
    own_rig.kill()
    service = Service(tmp_path)
    try:
        service.wait("READY=1")
        assert "audio.playback" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
        own_rig.say(normalised(synthesize("hey jarvis, tell me a story", "rms"), -24.0))
        service.wait("STATUS=speaking")
        own_rig.kill()  # in mid-sentence
        assert "was lost" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
    finally:
        status = service.close()
    assert status == 0
    assert "Traceback" not in service.log.read_text()
