"""The daemon as the service runs it: a real process, alsa-lib, notify socket, and real speech."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from daemon_process import Daemon
from pulse_rig import PulseRig, loud_frames

from parleyd.room.clips import normalised, synthesize
from parleyd.units import Frames

LOUD = 500  # peaks of the voice are in the thousands

CONFIG = """
[audio]
boot_chime = false
playback = "speaker"
capture = "mic"
playback_channels = 2
lead_ms = 100
[turn]
follow_up_s = 0
"""


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
    daemon.wait("STOPPING=1")
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "story" not in log  # no transcript in the log


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
