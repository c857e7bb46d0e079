"""One real run of `parley demo`, as by a new user, and its results."""

import json
import os
import subprocess
import sys
import wave
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parleyd.demo import measurements
from parleyd.demo.scenes import SCENES
from parleyd.units import Frames

DEAD_PROXY = "http://127.0.0.1:9"
NAMES = ["wake_and_ask", "follow_up", "interruption", "cough", "stop", "button"]


@dataclass
class Demo:
    status: int
    output: str
    errors: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report.json").read_text("utf-8"))

    def scene(self, name: str) -> dict[str, Any]:
        return next(scene for scene in self.report["scenes"] if scene["name"] == name)

    def figure(self, scene: str, name: str) -> float:
        return next(f["value"] for f in self.scene(scene)["figures"] if f["name"] == name)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    pytest.importorskip("matplotlib", reason="pip install parleyd[plots]")
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "parleyd", "demo", "--report", str(folder)]
    # The demo has its own server: it uses neither network nor proxy.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"), DEAD_PROXY)
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, **proxies}
    )
    return Demo(ran.returncode, ran.stdout, ran.stderr, folder)


@pytest.fixture(scope="module")
def loudspeaker(demo: Demo) -> Frames:
    """Return the left channel of room.wav, at 48 kHz."""
    with wave.open(str(demo.folder / "room.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 48_000)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return frames.reshape(-1, 2)[:, 0]


def test_demo_passes_every_scene(demo: Demo) -> None:
    assert [(s["name"], s["reason"]) for s in demo.report["scenes"]] == [(n, "") for n in NAMES]
    assert [scene.name for scene in SCENES] == NAMES
    assert demo.report["passed"]
    assert (demo.status, demo.errors) == (0, "")


def test_demo_output_lists_the_scenes_in_order(demo: Demo) -> None:
    order = [
        "plays a sound, and hears it",
        "hears the wake word",
        "“what time is it”",
        "“It is ",
        "“tell me a story”",
        "holds the reply",
        "truncate: ",
        "“Today is ",
        "(coughs)",
        "“well I wanted to ask”",
        "resumes the reply",
        "“stop talking”",
        "(presses the button)",
        "All 6 scenes passed.",
    ]
    places = [demo.output.find(words) for words in order]
    assert -1 not in places, demo.output
    assert places == sorted(places)
    assert "\x1b" not in demo.output  # no colours without a terminal


def test_demo_reports_the_played_milliseconds(demo: Demo) -> None:
    for scene in ("interruption", "stop", "button"):
        told = demo.figure(scene, measurements.TOLD_MS)
        true = demo.figure(scene, measurements.TRUE_MS)
        assert 2000 < true < 12_000
        assert true - 20 <= told <= true + 1


def test_demo_resume_after_cough_loses_no_audio(demo: Demo) -> None:
    assert abs(demo.figure("cough", measurements.SLIP)) <= 48
    assert 0 <= demo.figure("cough", measurements.COUGH_MS) <= 1000
    assert demo.figure("cough", measurements.HELD_MS) > 0


def test_demo_hold_is_silent_until_its_decision(demo: Demo, loudspeaker: Frames) -> None:
    """The decision is a resume, or the interruption ends."""
    report = demo.report
    events = [(event["at_s"], event["name"]) for event in report["events"]]
    held = [(hold, after) for hold, after in pairwise(events) if hold[1] == "hold"]
    decisions = [after for _, (_, after) in held]
    assert (decisions[0], decisions[-1]) == ("interrupt", "interrupt")
    assert set(decisions[1:-1]) == {"resume"}  # the broken-off word, and perhaps the cough
    for (hold_s, _), (decided_s, decision) in held:
        label = next(t for t in report["talker"] if t["onset_s"] < hold_s <= t["end_s"])
        until_s = decided_s if decision == "resume" else label["end_s"]
        assert not np.any(loudspeaker[round(hold_s * 48_000) : round(until_s * 48_000)])
        just_before = loudspeaker[round((hold_s - 0.5) * 48_000) : round(hold_s * 48_000)]
        assert np.abs(just_before).max() > 1000


def test_demo_recording_after_button_is_silent(demo: Demo, loudspeaker: Frames) -> None:
    pressed_s = demo.report["events"][-1]["at_s"]
    assert not np.any(loudspeaker[round((pressed_s + 0.02) * 48_000) :])
    assert len(loudspeaker) == pytest.approx(demo.report["simulated_s"] * 48_000, abs=480)


def test_demo_picture_is_valid(demo: Demo) -> None:
    data = (demo.folder / "timeline.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert 50_000 < len(data) < 250_000


def run_code(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `parley demo` in a process after the given code."""
    code += "\nfrom parleyd.cli.main import main\nmain()"
    command = [sys.executable, "-c", code, "demo", "--report", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_demo_with_failing_scene_fails(tmp_path: Path) -> None:
    """The scene waits for a wake word that is never said."""
    pytest.importorskip("matplotlib", reason="pip install parleyd[plots]")
    ran = run_code(
        """
from parleyd.cli import demo
from parleyd.demo.scenes import Scene
from parleyd.core.states import State

async def nobody(stage):
    await stage.until_state(State.LISTENING, "nobody was heard", within_s=1.5)

async def never_played(stage):
    raise AssertionError

demo.SCENES = (Scene("nobody", "Nobody", nobody), Scene("then", "Then", never_played))
""",
        tmp_path,
    )
    assert ran.returncode == 1
    assert "Scene 1 of 2 (nobody) failed: nobody was heard within 1.5 s" in ran.stdout
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert not report["passed"]
    (scene,) = report["scenes"]
    assert scene["reason"].startswith("nobody was heard")


def test_demo_without_matplotlib_names_the_remedy(tmp_path: Path) -> None:
    ran = run_code("import sys\nsys.modules['matplotlib'] = None", tmp_path / "report")
    assert ran.returncode == 1
    assert "pip install 'parleyd[plots]'" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "report").exists()
