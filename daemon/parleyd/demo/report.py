"""The report of a demo: a table of figures and three files."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.table import Table

from parleyd import __version__
from parleyd.core.events import ButtonPressed, LogEvent, Show
from parleyd.core.states import Indication
from parleyd.demo.measurements import Figure
from parleyd.demo.timeline import Mark, Span, Timeline, draw
from parleyd.diagnostics import decision_plot
from parleyd.errors import ParleyError
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.lights.terminal import on_screen
from parleyd.simulation.simulated_speaker import SimulatedSpeaker

PACKAGES = ("numpy", "websockets", "onnxruntime", "pymicro-wakeword", "pocketsphinx", "soxr")
COLOURS = {"wake": "#3b6fd4", **decision_plot.COLOURS}


@dataclass(frozen=True, slots=True)
class SceneResult:
    """The result of one scene; `reason` is the failure, or ""."""

    name: str
    title: str
    begins_s: float
    ends_s: float
    figures: Sequence[Figure]
    reason: str = ""

    @property
    def passed(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The result of a whole demo."""

    scenes: Sequence[SceneResult]
    planned: int
    wall_s: float
    simulated_s: float
    conditions: dict[str, Any]
    """Seed and room, which reproduce the demo."""

    @property
    def passed(self) -> bool:
        return len(self.scenes) == self.planned and all(scene.passed for scene in self.scenes)

    @property
    def share_of_real_time(self) -> float:
        return self.wall_s / self.simulated_s if self.simulated_s else 0.0


def check_tools() -> None:
    """Raise `ParleyError` before the demo starts if its picture cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise ParleyError(
            "matplotlib is missing, but the demo needs it to draw the timeline: "
            "pip install 'parleyd[plots]', or use ./install.sh --demo"
        )


def table(outcome: DemoResult) -> Table:
    """Return the final table: each figure with its values in the order of the scenes."""
    rows: dict[tuple[str, str, str], list[float]] = {}
    for scene in outcome.scenes:
        for figure in scene.figures:
            rows.setdefault((figure.name, figure.unit, figure.must), []).append(figure.value)
    made = Table(title="Measured", title_justify="left", title_style="bold")
    made.add_column("figure")
    made.add_column("measured", justify="right")
    made.add_column("required")
    for (name, unit, must), values in rows.items():
        made.add_row(name, f"{', '.join(f'{value:g}' for value in values)} {unit}", must)
    made.add_row(
        "real time / simulated time",
        f"{outcome.wall_s:.0f} s / {outcome.simulated_s:.0f} s = {outcome.share_of_real_time:.2f}",
    )
    return made


def write(outcome: DemoResult, simulated: SimulatedSpeaker, folder: Path) -> tuple[Path, ...]:
    """Write the three files; return their paths. Blocks for a few seconds; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / name for name in ("room.wav", "timeline.png", "report.json"))
    sound, picture, figures = paths
    simulated.recording.write_wav(sound)
    draw(timeline(simulated), picture)
    content = {**_as_json(outcome), **_what_happened(simulated)}
    figures.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return paths


def timeline(simulated: SimulatedSpeaker) -> Timeline:
    """Return the picture's content, from the moments and the recording."""
    recording = simulated.recording
    return Timeline(
        title="A conversation with Parley, in a simulated room",
        talker=[Span(u.onset_s, u.end_s, u.label) for u in simulated.talker.utterances],
        states=_states(simulated),
        marks=_marks(simulated),
        microphone=recording.microphone,
        loudspeaker=recording.loudspeaker,
        loudspeaker_rate_hz=recording.loudspeaker_rate_hz,
    )


def _states(simulated: SimulatedSpeaker) -> list[Span]:
    shows = [(m.at, m.what.indication) for m in simulated.moments if isinstance(m.what, Show)]
    ends = [*shows, (simulated.recording.duration_s, Indication.IDLE)]
    return [
        Span(
            start,
            end,
            str(shown),
            "#{:02x}{:02x}{:02x}".format(*on_screen(LED_PATTERNS[shown].hue)),
        )
        for (start, shown), (end, _) in pairwise(ends)
        if end > start
    ]


def _marks(simulated: SimulatedSpeaker) -> list[Mark]:
    marks = []
    for moment in simulated.moments:
        match moment.what:
            case LogEvent(name) if name in COLOURS:
                marks.append(Mark(moment.at, name, COLOURS[name]))
            case ButtonPressed():
                marks.append(Mark(moment.at, "button"))
    return marks


def _what_happened(simulated: SimulatedSpeaker) -> dict[str, Any]:
    """Return the labels of room.wav; times are in its seconds."""
    return {
        "talker": [
            {"label": u.label, "onset_s": round(u.onset_s, 3), "end_s": round(u.end_s, 3)}
            for u in simulated.talker.utterances
        ],
        "events": [{"at_s": round(m.at_s, 2), "name": m.label} for m in _marks(simulated)],
    }


def _as_json(outcome: DemoResult) -> dict[str, Any]:
    return {
        "passed": outcome.passed,
        "scenes": [
            {
                "name": scene.name,
                "title": scene.title,
                "passed": scene.passed,
                "reason": scene.reason,
                "begins_s": round(scene.begins_s, 2),
                "ends_s": round(scene.ends_s, 2),
                "figures": [asdict(figure) for figure in scene.figures],
            }
            for scene in outcome.scenes
        ],
        "conditions": outcome.conditions,
        "simulated_s": round(outcome.simulated_s, 2),
        "wall_s": round(outcome.wall_s, 2),
        "share_of_real_time": round(outcome.share_of_real_time, 3),
        "versions": {
            "parleyd": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{package: version(package) for package in PACKAGES},
        },
    }
