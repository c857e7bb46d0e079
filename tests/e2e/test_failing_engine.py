"""The running daemon replaces a failing wake-word engine and detects the word again."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig

from parleyd.simulation.clips import normalised, synthesize

# Python runs this at the start of the daemon: the first model fails, all others work.
FIRST_MODEL_FAILS = """
import pymicro_wakeword
kind = pymicro_wakeword.MicroWakeWord
sound, first = kind.process_streaming_prob, []
def process_streaming_prob(self, features):
    first[:] = first or [self]
    if first[0] is self:
        raise RuntimeError("invoke failed")
    return sound(self, features)
kind.process_streaming_prob = process_streaming_prob
"""
WITHIN_S = 30.0


def test_daemon_renews_a_wake_engine_that_fails(
    rig: PulseRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FIRST_MODEL_FAILS)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    daemon = Daemon(tmp_path, f"{RIG_CARDS}\n[turn]\nfollow_up_s = 0\n")
    try:
        daemon.wait("READY=1")
        daemon.wait("STATUS=error: no wake word is heard")
        daemon.wait("STATUS=idle: the wake engine failed and was reset")  # for a minute
        word = normalised(synthesize("hey jarvis", "rms"), -24.0)
        deadline = time.monotonic() + WITHIN_S
        while "state=idle" not in daemon.log.read_text() and time.monotonic() < deadline:
            rig.say(np.concatenate([np.zeros(8000, np.int16), word, np.zeros(16_000, np.int16)]))
        daemon.wait("STATUS=listening")
        assert daemon.end() == 0
        log = daemon.log.read_text()
        assert log.count("Traceback") == 1
        assert log.count("RuntimeError: invoke failed") == 1
        assert "the part wake engine failed and was reset" in log
    finally:
        daemon.close()
