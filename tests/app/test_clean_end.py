"""A stopped daemon prints no complaints of libraries: a real process, on ALSA's null device."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG = """
[audio]
playback = "null"
capture = "null"
boot_chime = false
[realtime]
server = "embedded"
"""
DEAD_PROXY = "http://127.0.0.1:9"
WITHIN_S = 60.0


@pytest.mark.slow
def test_stop_prints_no_complaint_of_a_library(tmp_path: Path) -> None:
    """soxr's bindings report every resampler that exists when Python exits."""
    config = tmp_path / "parley.toml"
    config.write_text(CONFIG)
    log = tmp_path / "log"
    with log.open("wb") as errors:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "parleyd", "run", "--config", str(config)],
            env={
                **os.environ,
                "XDG_STATE_HOME": str(tmp_path / "state"),
                "http_proxy": DEAD_PROXY,  # the embedded server needs no proxy
                "all_proxy": DEAD_PROXY,
            },
            stderr=errors,
        )
        try:
            end = time.monotonic() + WITHIN_S
            while "ready" not in log.read_text() and time.monotonic() < end:
                time.sleep(0.05)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(WITHIN_S) == 0
        finally:
            daemon.kill()
    lines = log.read_text()
    assert "parleyd.turns: ready" in lines
    assert "nanobind" not in lines
    assert "leaked" not in lines
