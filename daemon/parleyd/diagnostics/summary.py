"""A recording in one line: the figures of hearing."""

from dataclasses import dataclass

import numpy as np

from parleyd.diagnostics.replay import Replay
from parleyd.hearing.barge_in import Decision
from parleyd.units import PERIOD_MS

_AUDIBLE_DBFS = -60.0
_SETTLED = 200  # periods: the canceller learns for about 2 s
_HEAD = ("recording", "length", "removed", "delay", "drift", "holds", "interrupts", "half duplex")
_WIDTHS = (28, 8, 9, 9, 9, 6, 11, 12)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one replay."""

    seconds: float
    removed_db: float | None
    """The median over periods with echo, after the first two seconds; None without echo."""

    delay_ms: float | None
    drift_ppm: float
    holds: int
    interruptions: int
    half_duplex_s: float


def summarise(heard: Replay) -> Summary:
    """Return the figures of a replay."""
    audible = heard.loudspeaker_dbfs > _AUDIBLE_DBFS
    audible &= heard.microphone_dbfs > _AUDIBLE_DBFS
    if heard.delay_ms is None:
        audible &= False
    removed = (heard.microphone_dbfs - heard.cleaned_dbfs)[_SETTLED:][audible[_SETTLED:]]
    names = [decision.decision for _, decision in heard.decisions]
    return Summary(
        len(heard.seconds) * PERIOD_MS / 1000,
        float(np.median(removed)) if len(removed) else None,
        heard.delay_ms,
        heard.drift_ppm,
        names.count(Decision.HOLD),
        names.count(Decision.INTERRUPT),
        heard.half_duplex_s,
    )


def header() -> str:
    """Return the names of the columns of `line`."""
    return _row(_HEAD)


def line(name: str, found: Summary) -> str:
    """Return the figures with their units; "-" for one that was not found."""
    return _row(
        (
            name,
            f"{found.seconds:.1f} s",
            "-" if found.removed_db is None else f"{found.removed_db:.1f} dB",
            "-" if found.delay_ms is None else f"{found.delay_ms:.0f} ms",
            "-" if found.delay_ms is None else f"{found.drift_ppm:.0f} ppm",
            str(found.holds),
            str(found.interruptions),
            f"{found.half_duplex_s:.1f} s",
        )
    )


def _row(cells: tuple[str, ...]) -> str:
    first, *rest = (
        f"{cell:>{width}}" if n else f"{cell:<{width}}"
        for n, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return " ".join((first, *rest))
