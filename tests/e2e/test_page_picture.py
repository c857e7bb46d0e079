"""The page in the documentation, in a browser, with a daemon that hears speech over its own voice.

`PICTURES=daemon/docs/pictures .venv/bin/python -m pytest tests/e2e/test_page_picture.py` writes
the pictures.
"""

import contextlib
import io
import os
from pathlib import Path

import pytest
from daemon_process import RIG_CARDS, Daemon
from PIL import Image
from pulse_rig import PulseRig

from tests.e2e.test_daemon import LOUD, spoken
from tests.page.chromium import needs_browser, tab
from tests.page.page_rig import TOKEN, PageRig

CONFIG = RIG_CARDS + '[realtime]\nserver = "embedded"\n'
SIZES = {"phone": (375, 812), "desktop": (1280, 900)}


@needs_browser
def test_page_shows_an_interruption_with_its_figures(
    own_rig: PulseRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    own_rig.echo(60)
    with contextlib.ExitStack() as stack:
        daemon = Daemon(tmp_path, CONFIG)
        stack.callback(daemon.close)
        daemon.wait("READY=1")
        daemon.wait("STATUS=idle")
        place = PageRig(tmp_path, stack)
        page = place.page(CONFIG)
        stream = place.stream(place.client(page))
        window = stack.enter_context(tab(tmp_path))
        window.open(f"http://127.0.0.1:{page.port}/")
        window.wait("!$('entrance').hidden")
        window.type(TOKEN)
        window.key("Enter")
        window.wait("$('word').textContent === 'idle'")

        own_rig.say(spoken("hey jarvis", "set a timer for twenty minutes"))
        stream.wait(lambda got: got["timers"])
        stream.wait_for_state("idle")
        own_rig.say(spoken("hey jarvis", "tell me a story"))
        stream.wait_for_state("speaking")
        assert own_rig.heard.wait_for(LOUD, count=120_000), "the story is not audible"
        own_rig.say(spoken("tell me another story"))
        stream.wait(lambda got: got["interruption"]["turn"])
        picture = stream.newest["interruption"]
        names = [mark["name"] for mark in picture["marks"]]
        assert names[0] == "hold"
        assert names[-2:] == ["interrupt", "interrupted"]
        assert picture["turn"]["onset_to_hold_ms"] > 0
        before = [each for each in picture["samples"] if each["t"] < picture["marks"][0]["t"] - 0.3]
        assert max(each["echo"] for each in before) > -60, "no echo of the answer"
        assert any(each["score"] > each["threshold"] for each in picture["samples"])
        assert b"story" not in stream.raw

        window.wait("$('word').textContent === 'speaking' && $('chart').firstChild")
        folder = Path(os.environ.get("PICTURES", tmp_path))
        for name, size in SIZES.items():
            for dark in (False, True):
                window.shape(*size, dark=dark)
                window.wait(
                    "document.querySelector('#chart svg').clientWidth === $('chart').clientWidth"
                )
                shown = Image.open(io.BytesIO(window.picture())).convert("RGB").quantize(128)
                file = folder / f"page-{name}-{'dark' if dark else 'light'}.png"
                shown.save(file, optimize=True)
        assert window.errors == []
