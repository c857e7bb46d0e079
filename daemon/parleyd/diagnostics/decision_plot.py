"""A picture of a replay: the values behind each barge-in decision."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parleyd.diagnostics.replay import Replay
from parleyd.errors import ParleyError
from parleyd.hearing.barge_in import Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 100
INK, GRID = "#1f2430", "#e4e7ee"
MICROPHONE, LOUDSPEAKER, CLEANED, ECHO = "#7a8296", "#2a9d6f", "#3b6fd4", "#9fd8c1"
TALKER, THRESHOLD, VOICE, SPEECH = "#3b6fd4", "#c2410c", "#7c3aed", "#b08ae8"
COLOURS: dict[str, str] = {
    Decision.HOLD: "#c77700",
    Decision.INTERRUPT: "#b3261e",
    Decision.RESUME: "#2a7d4f",
}
LEVELS_DBFS = (-80, 0)


def draw(replay: Replay, title: str, path: Path, *, width_px: int = 1600) -> None:
    """Write the picture as PNG; blocks for about two seconds.

    Raises `ParleyError` if matplotlib is not installed, OSError if the write fails.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ParleyError(
            "matplotlib is missing, but the picture needs it: pip install parleyd[plots]"
        ) from None
    figure = Figure(figsize=(width_px / DPI, 9), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    lanes = figure.subplots(5, 1, sharex=True, height_ratios=[1.3, 1.3, 0.8, 1, 1])
    figure.subplots_adjust(left=0.07, right=0.985, top=0.92, bottom=0.06, hspace=0.12)
    figure.text(0.07, 0.955, title, color=INK, fontsize=14, fontweight="bold")
    raw, cleaned, excess, near_end, voice = lanes
    at = replay.seconds
    raw.fill_between(at, LEVELS_DBFS[0], replay.microphone_dbfs, color=MICROPHONE, alpha=0.5)
    raw.plot(at, replay.loudspeaker_dbfs, color=LOUDSPEAKER, lw=1)
    _lane(raw, "dBFS", LEVELS_DBFS, ["microphone", "loudspeaker"])
    cleaned.fill_between(at, LEVELS_DBFS[0], replay.cleaned_dbfs, color=CLEANED, alpha=0.5)
    cleaned.plot(at, replay.echo_dbfs, color=LOUDSPEAKER, lw=1)
    _lane(cleaned, "dBFS", LEVELS_DBFS, ["cleaned", "subtracted echo"])
    excess.plot(at, replay.excess_db, color=CLEANED, lw=1)
    top = max(4.0, float(np.max(replay.excess_db, initial=0.0)) * 1.1)
    _lane(excess, "dB", (0, top), ["level above echo and noise"])
    near_end.plot(at, replay.near_end, color=TALKER, lw=1)
    near_end.plot(at, replay.threshold, color=THRESHOLD, lw=1.2)
    _lane(near_end, "hold", (0, 1.05), ["a user's voice", "threshold"])
    voice.plot(at, replay.voice, color=VOICE, lw=1)
    voice.plot(at, replay.speech, color=SPEECH, lw=1)
    _lane(voice, "decision", (0, 1.05), ["voice detector", "classifier: speech"])
    voice.set_xlabel("seconds", color=INK)
    voice.set_xlim(0, float(at[-1]) if len(at) else 1.0)
    for seconds, decision in replay.decisions:
        colour = COLOURS[decision.decision]
        for lane in lanes:
            lane.axvline(seconds, color=colour, lw=1.2)
        side = "right" if decision.decision is Decision.HOLD else "left"  # the two are 200 ms apart
        label = {"color": "white", "fontsize": 8, "ha": side, "va": "bottom"}
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round,pad=0.2"}
        raw.text(seconds, LEVELS_DBFS[1] + 1, decision.decision, bbox=box, clip_on=False, **label)
    figure.savefig(path)


def _lane(lane: "Axes", unit: str, limits: tuple[float, float], names: list[str]) -> None:
    lane.set_ylim(*limits)
    lane.set_ylabel(unit, color=INK)
    lane.grid(color=GRID)
    lane.legend(names, loc="upper right", ncols=2, frameon=False, fontsize=9)
    for side in ("top", "right"):
        lane.spines[side].set_visible(False)
