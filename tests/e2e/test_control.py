"""A real daemon on ALSA's null device, controlled by the real command line."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from daemon_process import WITHIN_S, Daemon

from parleyd.control.client import ControlClient
from parleyd.control.replies import Done, LevelsMeasured, Logged, StateChanged, TurnsReply
from parleyd.control.requests import (
    ListenRequest,
    MuteRequest,
    StopRequest,
    SubscribeRequest,
    TurnsRequest,
    UnmuteRequest,
)
from parleyd.errors import ControlError

CONFIG = """
[audio]
playback = "null"
capture = "null"
boot_chime = false
priority = 0
[realtime]
server = "embedded"
"""
SWITCH_ON = """
[buttons]
mute_pin = 24
mute_closed_means_muted = false
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")


def started(folder: Path, config: str = CONFIG) -> Iterator[Daemon]:
    running = Daemon(folder, config)
    try:
        running.wait("READY=1")
        yield running
    finally:
        running.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    yield from started(tmp_path)


@pytest.fixture
def muted_daemon(tmp_path: Path) -> Iterator[Daemon]:
    yield from started(tmp_path, CONFIG + SWITCH_ON)


def parley(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parleyd", *arguments],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )


def state() -> str:
    return str(json.loads(parley("status", "--json").stdout)["indication"])


def test_commands_control_the_daemon(daemon: Daemon) -> None:
    assert state() == "idle"
    assert parley("listen").returncode == 0
    daemon.wait("STATUS=listening")
    assert "listening" in parley("status").stdout
    assert parley("stop").returncode == 0
    daemon.wait("STATUS=idle")
    assert [parley("volume", *level).stdout for level in ((), ("40",), ("+",), ("-",), ("1",))] == [
        "70 %\n", "40 %\n", "50 %\n", "40 %\n", "5 %\n"
    ]  # fmt: skip
    assert parley("volume", "loud").returncode == 2
    assert daemon.end() == 0
    log = daemon.log.read_text()
    assert "Traceback" not in log
    ended = parley("status")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "parley: no daemon runs: sudo systemctl start parleyd\n"
    assert json.loads(parley("stop", "--json").stdout)["error"] == "no_daemon"


def test_microphone_closes_and_opens_by_command(daemon: Daemon) -> None:
    assert parley("mute", "30").returncode == 0
    daemon.wait("STATUS=muted: closed by command")
    refused = parley("listen")
    assert refused.returncode == 5
    assert refused.stderr.startswith("parley: the microphone is closed: closed by command")
    microphone = json.loads(parley("status", "--json").stdout)["microphone"]
    assert 1700 < microphone.pop("left_s") <= 1800
    assert microphone == {
        "closed": True,
        "by_switch": False,
        "reason": "closed by command; `parley unmute` or the push button opens it",
    }
    assert parley("unmute").returncode == 0
    daemon.wait("STATUS=idle")
    assert parley("listen").returncode == 0


def test_home_opens_only_what_home_closed(daemon: Daemon) -> None:
    with ControlClient() as home:
        home.ask(MuteRequest(by="home"), Done)
        daemon.wait("STATUS=muted: closed by home automation")
        home.ask(UnmuteRequest(by="home"), Done)
        daemon.wait("STATUS=idle")
        home.ask(MuteRequest(by="home"), Done)
        assert parley("mute", "30").returncode == 0
        with pytest.raises(ControlError, match="closed by command") as refused:
            home.ask(UnmuteRequest(by="home"), Done)
        assert refused.value.code == "held"
        assert json.loads(parley("status", "--json").stdout)["microphone"]["closed"]
        assert parley("unmute").returncode == 0
        assert not json.loads(parley("status", "--json").stdout)["microphone"]["closed"]


def test_no_command_opens_the_microphone_against_the_switch(muted_daemon: Daemon) -> None:
    muted_daemon.wait("STATUS=muted")
    for _ in range(2):
        refused = parley("unmute")
        assert refused.returncode == 5
        assert "the mute switch keeps the microphone closed" in refused.stderr
        assert json.loads(parley("listen", "--json").stdout)["error"] == "muted"
        with ControlClient() as home, pytest.raises(ControlError, match="mute switch"):
            home.ask(UnmuteRequest(by="home"), Done)
        assert parley("mute", "1").returncode == 0  # then `unmute` has something to end
        assert parley("stop").returncode == 0
    assert state() == "muted"
    log = muted_daemon.log.read_text()
    assert "muted=False" not in log
    assert "listening" not in log


def test_subscriber_sees_a_turn_and_levels_over_a_reload(daemon: Daemon) -> None:
    with ControlClient() as watcher, ControlClient() as client:
        watcher.ask(SubscribeRequest(topics=("state", "levels", "log")), Done)
        client.ask(ListenRequest(), Done)
        client.ask(StopRequest(), Done)
        seen: list[object] = []
        while StateChanged(indication="idle", detail="") not in seen:
            seen.append(next(watcher.events()))
        assert StateChanged(indication="listening", detail="") in seen
        assert any(isinstance(e, Logged) and e.name == "state" for e in seen)
        levels = next(e for e in watcher.events() if isinstance(e, LevelsMeasured))
        assert levels.mic_dbfs is not None
        assert client.ask(TurnsRequest(), TurnsReply).turns == ()
        daemon.config.write_text(CONFIG + "\n[log]\nlevel = 'debug'\n")
        os.kill(daemon.process.pid, 1)
        daemon.wait("RELOADING=1")
        daemon.wait("READY=1")
        client.ask(ListenRequest(), Done)
        assert any(e == StateChanged(indication="listening", detail="") for e in watcher.events())


def test_text_is_spoken_and_its_words_stay_out_of_the_log(daemon: Daemon) -> None:
    with ControlClient() as watcher:
        watcher.ask(SubscribeRequest(topics=("state", "log")), Done)
        assert parley("mute").returncode == 0  # speech needs no microphone
        assert parley("say", "Dinner", "is ready").returncode == 0
        names = []
        for event in watcher.events():
            names += [event.name] if isinstance(event, Logged) else []
            if "announcement" in names:
                break
    refused = parley("say", "--voice", "model", "--json", "Dinner")
    assert refused.returncode == 5
    assert json.loads(refused.stdout)["error"] == "voice"
    for silent in ("晚饭好了", "Ужин готов", "...", "\x01"):
        refused = parley("say", silent)
        assert refused.returncode == 5
        assert "nothing that the offline voice can speak" in refused.stderr
    assert parley("say", "x" * 401).returncode == 2
    assert json.loads(parley("status", "--json").stdout)["microphone"]["closed"]
    assert "inner" not in daemon.log.read_text()


def test_quiet_hours_let_only_urgent_texts_through(tmp_path: Path) -> None:
    now = datetime.now()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    hours = f'[home]\nquiet_hours = "{begin:%H:%M}-{end:%H:%M}"\n'
    for _ in started(tmp_path, CONFIG + hours):
        refused = parley("say", "Dinner is ready")
        assert refused.returncode == 5
        why = f"these are quiet hours, until {end:%H:%M}: only urgent texts are spoken"
        assert refused.stderr == f"parley: {why}\n"
        assert parley("say", "--urgent", "Smoke").returncode == 0


def test_stop_ends_speech(daemon: Daemon) -> None:
    with ThreadPoolExecutor(1) as pool:
        speaking = pool.submit(parley, "say", "one two three four five six seven " * 8)
        daemon.wait("STATUS=speaking")
        assert parley("stop").returncode == 0
        ended = speaking.result()
    assert ended.returncode == 5
    assert ended.stderr == "parley: it was ended by a command\n"


def test_timers_are_listed(tmp_path: Path) -> None:
    due = time.time() + 3600
    state = tmp_path / "state" / "parley"
    state.mkdir(parents=True)
    alarm = {"id": 1, "name": "eggs", "due": due, "timer": True, "seconds": 3600}
    (state / "skills.json").write_text(json.dumps({"alarms": [alarm]}))
    for _ in started(tmp_path):
        (timer,) = json.loads(parley("timers", "--json").stdout)["timers"]
        assert 3400 < timer.pop("left_s") <= 3600
        local = datetime.fromtimestamp(due).isoformat(timespec="seconds")
        assert timer == {"name": "eggs", "timer": True, "due": local}
        assert parley("timers").stdout.endswith(f"  {local}  timer  eggs\n")
