"""Analysis of recordings: times of the first and last loud frame, and durations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOUD = 500  # of 32768: the bench's tones peak at 12000, silence on a loopback card is 0
GAP_MS = 2.0  # a tone's zero crossings last less than 1 ms, so they are no gaps


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive frames of a recording, int16 mono."""

    frames: NDArray[np.int16]
    read_at: float
    """Time of the read in monotonic seconds: about when the last frame was heard."""


@dataclass(frozen=True, slots=True)
class Run:
    """Loud frames without a gap."""

    begins_at: float
    ends_at: float
    frames: int


def loud_runs(chunks: Iterable[Chunk], rate_hz: int) -> Sequence[Run]:
    """Return the sounds of a recording in order."""
    kept = [chunk for chunk in chunks if len(chunk.frames)]
    if not kept:
        return []
    frames = np.concatenate([chunk.frames for chunk in kept])
    times = np.concatenate([_times(chunk, rate_hz) for chunk in kept])
    loud = np.flatnonzero(np.abs(frames.astype(np.int32)) >= LOUD)
    if len(loud) == 0:
        return []
    breaks = np.flatnonzero(np.diff(loud) > GAP_MS * rate_hz / 1000)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [
        Run(float(times[start]), float(times[end]), int(end - start + 1))
        for start, end in zip(starts, ends, strict=True)
    ]


def loud_ms(runs: Iterable[Run], rate_hz: int) -> float:
    """Return the total duration of the runs."""
    return 1000 * sum(run.frames for run in runs) / rate_hz


def _times(chunk: Chunk, rate_hz: int) -> NDArray[np.float64]:
    """Return the time of each frame, assuming that the last was heard when it was read."""
    return chunk.read_at - np.arange(len(chunk.frames) - 1, -1, -1) / rate_hz
