"""Runs `parley run` as a child process, with the test as its service manager."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

RIG_CARDS = """
[audio]
boot_chime = false
playback = "speaker"
capture = "mic"
playback_channels = 2
lead_ms = 100
"""
"""Configuration of the devices of `pulse_rig`; more sections may follow."""

WITHIN_S = 60.0  # generous: Python, the models and pulse start slowly on a loaded machine


class Daemon:
    """A real daemon with a configuration; always ends with the test."""

    def __init__(self, folder: Path, config: str) -> None:
        self.config = folder / "parley.toml"
        self.config.write_text(config)
        self.log = folder / "log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(folder / "notify")
        self._socket.bind(address)
        self._told: queue.Queue[str] = queue.Queue()
        self._waited_for: list[str] = []
        environ = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parleyd", "run", "--config", str(self.config)],
                env={**environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"},
                stderr=log,
                stdout=log,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self, beginning: str) -> str:
        """Wait for a notification to the manager with this start: ``READY=1``, ``STATUS=idle``."""
        deadline = time.monotonic() + WITHIN_S
        while True:  # the watchdog's messages never end
            try:
                told = self._told.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"no {beginning}, but {self._waited_for[-5:]}\n{self.log.read_text()}"
                ) from None
            self._waited_for.append(told)
            if told.startswith(beginning):
                return told

    def child(self) -> int:
        """Return the pid of its child process: the embedded server."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 1, f"children: {children}"
        return int(children[0])

    def end(self) -> int:
        """Send SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)

    def close(self) -> None:
        """Kill the process if it still runs."""
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
