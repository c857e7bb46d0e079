import sys
from pathlib import Path

import numpy as np
import pytest

from parleyd.demo.timeline import Mark, Span, Timeline, draw
from parleyd.errors import ParleyError
from parleyd.units import SILENCE
from tests.simulation.players import noise_frames

pytestmark = pytest.mark.slow

RED, GREEN, BLUE = "#ff0000", "#00ff00", "#0000ff"


def conversation(seconds: int = 10) -> Timeline:
    return Timeline(
        title="Ten seconds",
        talker=[Span(1.0, 1.8, "hey jarvis"), Span(2.0, 3.0, "tell me a story")],
        states=[Span(0, 2, "idle", RED), Span(2, 9.8, "speaking", GREEN), Span(9.8, 10, "b", BLUE)],
        marks=[Mark(2.0, "wake"), Mark(2.05, "hold"), Mark(2.1, "interrupt"), Mark(9.9, "resume")],
        microphone=noise_frames(seconds * 16_000),
        loudspeaker=noise_frames(seconds * 48_000, seed=1),
        loudspeaker_rate_hz=48_000,
    )


def test_timeline_picture_has_its_size_and_states_in_place(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image", reason="pip install parleyd[plots]")
    draw(conversation(), tmp_path / "timeline.png")
    pixels = image.imread(tmp_path / "timeline.png")[:, :, :3]
    assert pixels.shape == (700, 1600, 3)

    def columns_of(colour: tuple[float, float, float]) -> tuple[int, int]:
        band = np.all(pixels[540:640] == np.array(colour, np.float32), axis=2).any(axis=0)
        return int(np.flatnonzero(band)[0]), int(np.flatnonzero(band)[-1])

    red, green, blue = (columns_of(colour) for colour in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    left, across = red[0], blue[1] - red[0]
    assert (red[1] - left) / across == pytest.approx(0.2, abs=0.005)
    assert (green[0] - left) / across == pytest.approx(0.2, abs=0.005)
    assert (blue[0] - left) / across == pytest.approx(0.98, abs=0.005)


@pytest.mark.parametrize("seconds", [1, 90])
def test_timeline_of_any_length_can_be_drawn(tmp_path: Path, seconds: int) -> None:
    pytest.importorskip("matplotlib", reason="pip install parleyd[plots]")
    draw(conversation(seconds), tmp_path / "timeline.png", width_px=800, height_px=400)
    assert (tmp_path / "timeline.png").stat().st_size > 10_000


def test_timeline_without_events_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install parleyd[plots]")
    empty = Timeline("Nothing", [], [], [], np.zeros(16_000, np.int16), SILENCE, 48_000)
    draw(empty, tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").exists()


def test_timeline_without_matplotlib_raises_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ParleyError, match=r"pip install parleyd\[plots\]"):
        draw(conversation(), tmp_path / "timeline.png")
