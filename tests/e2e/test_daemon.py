"""The daemon as under the service: a real process, alsa-lib, notify socket, and real speech."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from daemon_process import RIG_CARDS, WITHIN_S, Daemon
from pulse_rig import PulseRig, loud_frames

from parleyd.host import scheduling
from parleyd.simulation.clips import normalised, synthesize
from parleyd.units import Frames

LOUD = 500  # peaks of the voice exceed 1000

CONFIG = f"""{RIG_CARDS}
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
    """Synthesise sentences with natural pauses, in a voice that the wake-word model detects."""
    pause = np.zeros(4800, np.int16)
    parts = [normalised(synthesize(text, "rms"), -24.0) for text in texts]
    return np.concatenate([np.zeros(8000, np.int16), *(np.append(p, pause) for p in parts)])


def test_daemon_stopped_during_answer_is_silent(rig: PulseRig, daemon: Daemon) -> None:
    rig.say(spoken("hey jarvis", "tell me a story"))
    for state in ("listening", "thinking", "speaking"):
        daemon.wait(f"STATUS={state}")
    assert rig.heard.wait_for(LOUD, count=24_000), "the story is not audible"
    assert daemon.end() == 0
    rig.heard.clear()
    assert rig.heard.wait_for(0, count=24_000)
    assert loud_frames(rig.heard.frames(), LOUD) == 0, "sound after the daemon's end"
    daemon.wait("STOPPING=1")
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "story" not in log  # no transcript in the log


def test_boot_chime_is_heard_and_calibration_survives_restart(
    own_rig: PulseRig, tmp_path: Path
) -> None:
    own_rig.echo(60)
    kept = Path(os.environ["HOME"]) / ".local" / "state" / "parley" / "echo.npz"
    chiming = CONFIG.replace("boot_chime = false", "boot_chime = true")
    for start in ("first", "second"):
        own_rig.heard.clear()
        folder = tmp_path / start
        folder.mkdir()
        service = Daemon(folder, chiming)
        try:
            service.wait("READY=1")
            assert own_rig.heard.wait_for(LOUD, count=24_000), f"no chime at the {start} start"
            wait_for_log(service, "parleyd.turns: calibrated")
            assert service.end() == 0
        finally:
            service.close()
        assert kept.stat().st_size > 10_000
        assert "WARNING" not in service.log.read_text()


def test_loudspeaker_not_heard_is_logged_with_the_remedy(rig: PulseRig, tmp_path: Path) -> None:
    service = Daemon(tmp_path, CONFIG.replace("boot_chime = false", "boot_chime = true"))
    try:
        service.wait("READY=1")
        line = wait_for_log(service, ": loudspeaker_not_heard")
        assert "WARNING" in line
        assert "see that it is on and loud enough" in line
    finally:
        service.close()


def wait_for_log(service: Daemon, words: str) -> str:
    """Wait for the first line of the daemon's log with these words."""
    pause = threading.Event()
    for _ in range(int(WITHIN_S / 0.1)):
        for line in service.log.read_text().splitlines():
            if words in line:
                return line
        pause.wait(0.1)
    raise AssertionError(f"{words} is not in the log\n{service.log.read_text()}")


def test_only_audio_thread_event_loop_and_control_thread_are_real_time(
    daemon: Daemon,
) -> None:
    with ThreadPoolExecutor(1) as own_thread:
        refusal = own_thread.submit(scheduling.ask_for, 20).result()
    if refusal:
        pytest.skip(f"PRIORITY IS NOT TESTED: {refusal}")
    loop = daemon.process.pid
    server = daemon.child()
    assert real_time(loop)[loop] == scheduling.LOOP
    assert sorted(real_time(loop).values()) == [scheduling.LOOP, scheduling.LOOP, 20]
    assert real_time(server) == {}, "the embedded server has a real-time priority"
    daemon.config.write_text(CONFIG.replace("[audio]", "[audio]\npriority = 0"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("RELOADING=1")
    daemon.wait("READY=1")
    pause = threading.Event()
    for _ in range(int(WITHIN_S / 0.1)):
        if real_time(loop) == {}:  # the control thread follows a moment after READY
            break
        pause.wait(0.1)
    else:
        raise AssertionError(f"the priority outlives its configuration: {real_time(loop)}")


def real_time(pid: int) -> dict[int, int]:
    """Return the threads of a process with a real-time priority, and the priority."""
    threads = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    found = {thread: os.sched_getparam(thread).sched_priority for thread in threads}
    return {thread: granted for thread, granted in found.items() if granted}


def test_stop_during_reload_ends_the_daemon(daemon: Daemon) -> None:
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("RELOADING=1")
    assert daemon.end() == 0


def test_reload_rejects_a_bad_file_and_applies_a_good_one(rig: PulseRig, daemon: Daemon) -> None:
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
