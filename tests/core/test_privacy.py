"""Files and messages that a process of Parley must not produce without a request."""

import os
import subprocess
import sys
from pathlib import Path

HEARING = "from parleyd.hearing.vad import VoiceActivityDetector; VoiceActivityDetector()"


def test_model_runtime_stores_no_identifier_and_reports_nothing(
    tmp_path: Path,
) -> None:
    surroundings = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }  # no setting from outside forbids it
    subprocess.run([sys.executable, "-c", HEARING], env=surroundings, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []  # a reporting runtime would store its queue in HOME
