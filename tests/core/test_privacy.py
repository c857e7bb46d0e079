"""What a process of Parley's leaves behind, and would send, without being asked."""

import os
import subprocess
import sys
from pathlib import Path

HEARING = "from parleyd.hearing.vad import VoiceDetector; VoiceDetector()"


def test_the_runtime_of_the_models_makes_no_identifier_and_reports_to_nobody(
    tmp_path: Path,
) -> None:
    surroundings = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}  # nothing else forbids it
    subprocess.run([sys.executable, "-c", HEARING], env=surroundings, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []  # a runtime that reports keeps its queue at home
