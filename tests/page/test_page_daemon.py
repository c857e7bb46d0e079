"""A real daemon on ALSA's null device with a real page: it obeys, and reads a saved change."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from tests.page.page_rig import PageRig, until

pytestmark = pytest.mark.slow

CONFIG = """
[audio]
playback = "null"
capture = "null"
boot_chime = false
priority = 0
volume = 40   # Anna's
[realtime]
server = "embedded"
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    running = Daemon(tmp_path, CONFIG)
    try:
        running.wait("READY=1")
        yield running
    finally:
        running.close()


def test_page_commands_the_daemon_and_a_saved_change_is_read(
    daemon: Daemon, place: PageRig
) -> None:
    page = place.page(CONFIG)  # the same file
    service = place.saving(page)
    client = place.client(page)
    stream = place.stream(client)
    stream.wait(lambda got: got["status"]["indication"] == "idle" and got["levels"]["mic_dbfs"])
    steps = {"mute": "muted", "unmute": "idle", "listen": "listening", "stop": "idle"}
    for path, state in steps.items():
        assert client.ask(f"/api/{path}", {}).status == 200
        stream.wait_for_state(state)
    wish = {"revision": client.ask("/api/settings").json["revision"]}
    wish |= {"changes": {"audio.volume": 25, "turn.silence_ms": 700}}
    assert client.ask("/api/settings/save", wish).status == 200
    until(lambda: service.statuses == [0], "a saved change")
    before = len(stream.raw)
    daemon.process.send_signal(signal.SIGHUP)  # as systemd does after it
    stream.wait(lambda got: got["status"]["volume"] == 25)
    stream.wait_for_state("idle")
    assert "not reloaded" not in daemon.log.read_text()
    assert "cannot be reached" not in page.told()
    assert b'"connected":false' not in stream.raw[before:]
    assert "volume = 25   # Anna's\n" in page.config.read_text()
    print(f"\npage: {page.memory_mb():.1f} MB", file=sys.stderr)
