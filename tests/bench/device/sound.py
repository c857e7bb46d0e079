"""What a recording says: when the first and the last loud frame came, and how many there were."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOUD = 500  # of 32768: tones of the bench are at 12000, silence on a loopback card is 0
GAP_MS = 2.0  # a tone passes through zero for less than 1 ms, nothing else is taken for a gap


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some frames of a recording, int16 mono."""

    frames: NDArray[np.int16]
    read_at: float
    """Seconds, monotonic: when they were read, so about when the last of them was heard."""


@dataclass(frozen=True, slots=True)
class Run:
    """Loud frames without a gap."""

    begins_at: float
    ends_at: float
    frames: int


def loud_runs(chunks: Iterable[Chunk], rate_hz: int) -> Sequence[Run]:
    """The sounds of a recording, in order."""
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
    """How long they sound together."""
    return 1000 * sum(run.frames for run in runs) / rate_hz


def _times(chunk: Chunk, rate_hz: int) -> NDArray[np.float64]:
    """When each frame was heard, if the last one was heard when it was read."""
    return chunk.read_at - np.arange(len(chunk.frames) - 1, -1, -1) / rate_hz
