"""The picture in the documentation, from a daemon that hears real speech over its own voice.

`PICTURES=daemon/docs/pictures .venv/bin/python -m pytest tests/e2e/test_watch_picture.py` writes
it.
"""

import os
import shutil
from pathlib import Path

import pytest
from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig

from tests.e2e.test_daemon import LOUD, spoken
from tests.e2e.watch_picture import Tmux, svg


@pytest.mark.skipif(shutil.which("tmux") is None, reason="NO PICTURE: apt install tmux")
def test_watch_shows_an_interruption(
    own_rig: PulseRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    own_rig.echo(60)
    daemon = Daemon(tmp_path, RIG_CARDS + '[realtime]\nserver = "embedded"\n')
    try:
        daemon.wait("READY=1")
        daemon.wait("STATUS=idle")
        with Tmux(tmp_path, "watch") as window:
            window.wait_for("○ idle", "link up")
            own_rig.say(spoken("hey jarvis", "tell me a story"))
            window.wait_for("● speaking")
            assert own_rig.heard.wait_for(LOUD, count=24_000), "the story is not audible"
            own_rig.say(spoken("tell me another story"))
            window.wait_for("● listening")
            levels = [rf"{name} +-\d+ dBFS" for name in ("microphone", "echo", "cleaned")]
            shown = window.wait_for("● speaking", "1 wake_word", "a voice interrupts", *levels)
    finally:
        daemon.close()
    assert "38;2;" in shown  # the colour of the light
    picture = svg(shown)
    assert "wake_word" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    folder = Path(os.environ.get("PICTURES", tmp_path))
    (folder / "watch.svg").write_text(picture, "utf-8")
