"""A picture of a conversation: talker, loudspeaker, states and events over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parleyd.audio import FULL_SCALE, LEAST_POWER, power_to_db
from parleyd.errors import ParleyError
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
COLUMNS = 1400  # one step for each of the picture's pixels for sound
INK, FAINT, GRID = "#1f2430", "#8a90a0", "#e4e7ee"
TALKER, MICROPHONE, LOUDSPEAKER = "#3b6fd4", "#7a8296", "#2a9d6f"
LEAST_DBFS = -70.0
LETTERS_PT = 9
LETTERS_ACROSS = 210  # letters of that size from second 0 to the end, at 1600 px


@dataclass(frozen=True, slots=True)
class Span:
    """A state or utterance; `colour` is ``#rrggbb``, or "" for the lane's colour."""

    start_s: float
    end_s: float
    label: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at one point in time."""

    at_s: float
    label: str
    colour: str = INK


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture's content, from second 0 to the end of the microphone's recording."""

    title: str
    talker: Sequence[Span]
    states: Sequence[Span]
    marks: Sequence[Mark]
    microphone: Frames
    """int16 at 16 kHz."""
    loudspeaker: Frames
    """int16 at `loudspeaker_rate_hz`."""
    loudspeaker_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.microphone) / MIC_RATE_HZ


def draw(timeline: Timeline, path: Path, *, width_px: int = 1600, height_px: int = 700) -> None:
    """Write the picture as PNG; blocks for about two seconds.

    Raises `ParleyError` if matplotlib is not installed, OSError if the write fails.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ParleyError(
            "matplotlib is missing, but the timeline needs it: pip install parleyd[plots]"
        ) from None
    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    lanes = figure.subplots(5, 1, sharex=True, height_ratios=[1.2, 1.2, 1.4, 1.7, 0.9])
    figure.subplots_adjust(left=0.09, right=0.985, top=0.91, bottom=0.075, hspace=0)
    figure.text(0.09, 0.945, timeline.title, color=INK, fontsize=15, fontweight="bold")
    events, talker, microphone, loudspeaker, states = lanes
    _draw_talker(talker, timeline)
    _draw_level(microphone, timeline)
    _draw_waveform(loudspeaker, timeline)
    _draw_states(states, timeline)
    _draw_marks(events, lanes[1:], timeline)
    _draw_legend(figure, timeline.states)
    states.set_xlim(0, timeline.duration_s)
    states.tick_params(axis="x", length=3, labelbottom=True)
    states.set_xlabel("seconds", color=FAINT, fontsize=9)
    figure.savefig(path, format="png")


def _lane(axes: "Axes", name: str) -> None:
    axes.text(-0.028, 0.5, name, transform=axes.transAxes, ha="right", va="center", color=INK)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, colors=FAINT, labelsize=9, labelbottom=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_marks(axes: "Axes", lanes: Sequence["Axes"], timeline: Timeline) -> None:
    _lane(axes, "events")
    axes.set_ylim(0, 1)
    rows = _rows([(mark.at_s, mark.label) for mark in timeline.marks], timeline.duration_s)
    for mark, row in zip(timeline.marks, rows, strict=True):
        height = (row + 0.5) / (max(rows) + 1)
        axes.plot([mark.at_s, mark.at_s], [0, height], color=mark.colour, linewidth=1.0)
        axes.text(
            mark.at_s,
            height,
            mark.label,
            color="white",
            fontsize=LETTERS_PT,
            va="center",
            bbox={"boxstyle": "round,pad=0.25", "facecolor": mark.colour, "edgecolor": "white"},
        )
        for lane in lanes:
            lane.axvline(mark.at_s, color=mark.colour, linewidth=0.9, alpha=0.7, zorder=3)


def _draw_talker(axes: "Axes", timeline: Timeline) -> None:
    """Draw a bar for each utterance, with its words above because many bars are short."""
    _lane(axes, "talker")
    axes.set_ylim(0, 1)
    rows = _rows([(span.start_s, span.label) for span in timeline.talker], timeline.duration_s)
    for span, row in zip(timeline.talker, rows, strict=True):
        colour = span.colour or TALKER
        axes.barh(0.18, span.end_s - span.start_s, 0.26, span.start_s, color=colour, zorder=4)
        height = 0.36 + 0.6 * (row + 0.5) / (max(rows) + 1)
        axes.plot([span.start_s] * 2, [0.3, height], color=colour, linewidth=1.0, zorder=4)
        axes.text(
            span.start_s,
            height,
            f" {span.label}",
            color=colour,
            fontsize=LETTERS_PT,
            va="center",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )


def _draw_states(axes: "Axes", timeline: Timeline) -> None:
    """Draw a band of the LED's colours, with the states' names where they fit."""
    _lane(axes, "state")
    axes.set_ylim(0, 1)
    axes.barh(0.5, timeline.duration_s, 0.76, color=INK)  # a frame for white and dark lights
    for span in timeline.states:
        colour, width = span.colour or FAINT, span.end_s - span.start_s
        axes.barh(0.5, width, 0.64, span.start_s, color=colour, edgecolor=INK, linewidth=0.8)
        if _width_s(span.label, timeline.duration_s) <= width:
            axes.text(
                span.start_s + width / 2,
                0.5,
                span.label,
                color=_readable_on(colour),
                fontsize=LETTERS_PT,
                ha="center",
                va="center",
                zorder=5,
            )


def _draw_legend(figure: "Figure", states: Sequence[Span]) -> None:
    from matplotlib.patches import Patch

    colours = {span.label: span.colour or FAINT for span in states}
    figure.legend(
        handles=[
            Patch(facecolor=colour, edgecolor=INK, label=label) for label, colour in colours.items()
        ],
        loc="upper right",
        bbox_to_anchor=(0.985, 0.985),
        ncols=len(colours),
        frameon=False,
        labelcolor=INK,
        fontsize=LETTERS_PT,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.2,
    )


def _rows(labels: Sequence[tuple[float, str]], duration_s: float) -> list[int]:
    """Return for each label a row in which it does not overlap the previous label."""
    free_from: list[float] = []
    rows = []
    for at_s, label in labels:
        row = next((r for r, free_s in enumerate(free_from) if free_s <= at_s), len(free_from))
        free_from[row : row + 1] = [at_s + _width_s(label, duration_s)]
        rows.append(row)
    return rows


def _width_s(label: str, duration_s: float) -> float:
    """Return the width of a label in seconds of the picture, with a margin."""
    return duration_s * (len(label) + 2) / LETTERS_ACROSS


def _draw_level(axes: "Axes", timeline: Timeline) -> None:
    _lane(axes, "microphone\ndBFS")
    frames = timeline.microphone / FULL_SCALE
    power = _columns(frames**2).mean(axis=1)
    level = np.maximum(power_to_db(power + LEAST_POWER), LEAST_DBFS)
    time_s = np.linspace(0, timeline.duration_s, len(level))
    axes.fill_between(time_s, LEAST_DBFS, level, color=MICROPHONE, alpha=0.35, linewidth=0)
    axes.plot(time_s, level, color=MICROPHONE, linewidth=0.9)
    axes.set_ylim(LEAST_DBFS, 5)
    axes.set_yticks([-60, -40, -20])
    axes.tick_params(axis="y", length=0, colors=FAINT, labelsize=8)


def _draw_waveform(axes: "Axes", timeline: Timeline) -> None:
    _lane(axes, "loudspeaker")
    columns = _columns(timeline.loudspeaker / FULL_SCALE)
    end_s = len(timeline.loudspeaker) / timeline.loudspeaker_rate_hz
    time_s = np.linspace(0, end_s, len(columns))
    low, high = columns.min(axis=1), columns.max(axis=1)
    axes.fill_between(time_s, low, high, color=LOUDSPEAKER, linewidth=0.6)
    peak = max(0.05, float(np.max(np.abs(columns), initial=0.0)))
    axes.set_ylim(-1.2 * peak, 1.2 * peak)


def _columns(signal: Signal) -> Signal:
    """Split the signal into equal parts, about one for each pixel."""
    width = max(1, len(signal) // COLUMNS)
    whole = len(signal) // width * width
    return signal[:whole].reshape(-1, width)


def _readable_on(colour: str) -> str:
    """Return dark or white for letters, by the colour's luminance (ITU-R BT.601)."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "white"
