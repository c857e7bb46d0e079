"""Find how much of an item the loudspeaker really played, from the recording itself.

This is independent of the core's own accounting, so each can verify the other. The item's
audio is resampled to the device's rate and searched for in the recording, stretch by stretch,
across pauses, fades, ducking and jumps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import soxr

from parleyd.simulation.convolution import Signal
from parleyd.simulation.waveform_match import QUIET, Mask, Region, compare_blocks
from parleyd.units import SERVER_RATE_HZ, Frames

BLOCKS_MS = (5, 1)  # a stretch grows in coarse steps first, then in fine ones
PROBES_MS = ((200, 60, 960), (60, 20, 100), (20, 8, 24))  # length, step, longest skipped loss
SURE_STRETCH_MS = 150  # flite's voice repeats itself for 130 ms at most
STEP_MS = 10  # two blocks, which a step of gain may spoil
LEAST_STRETCH_MS = 15  # shorter matches occur by chance
LOUD = 40.0  # RMS of 1 ms; a quiet block of 5 ms cannot contain it
RESUMES_WITHIN_MS = 4000  # a pause longer than this ends the item


@dataclass(frozen=True, slots=True)
class Stretch:
    """`frames` of the item from `item_frame` on play at `recorded_frame` (device rate)."""

    item_frame: int
    recorded_frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class PlayedItem:
    """The played part of one item: its stretches in order, and bounds for its end."""

    stretches: tuple[Stretch, ...]
    least_ms: float
    """The end of the item's last sound in the recording."""
    most_ms: float
    """The end if the item's following silence was played too: silence cannot be recognised."""
    slips_frames: tuple[int, ...]
    """For each join of two stretches: sound lost (positive) or played twice (negative).

    Exact to about ten frames if digital silence separates the stretches, else to 2 ms.
    """


def heard_of(
    item: Frames,
    loudspeaker: Frames,
    rate_hz: int,
    *,
    from_s: float = 0.0,
    to_s: float | None = None,
) -> PlayedItem:
    """Find `item` (int16, 24 kHz, as sent by the server) in `loudspeaker` (at `rate_hz`).

    The search covers the recording from `from_s` to `to_s`. Frames in the result count at the
    device's rate from the start of the item and of the recording. The edges of sound are
    exact to about 1 ms; a stretch under 20 ms may be missed.
    """
    sound = item.astype(np.float64)
    if rate_hz != SERVER_RATE_HZ:
        sound = np.asarray(soxr.resample(sound, SERVER_RATE_HZ, rate_hz))
    first = int(from_s * rate_hz)
    last = len(loudspeaker) if to_s is None else int(to_s * rate_hz)
    search = _Search(sound, loudspeaker[first:last].astype(np.float64), rate_hz)
    found = search.stretches()
    end = max((s.item_frame + s.frames for s in found), default=0)
    return PlayedItem(
        stretches=tuple(Stretch(s.item_frame, s.recorded_frame + first, s.frames) for s in found),
        least_ms=end * 1000 / rate_hz,
        most_ms=search.next_sound(end) * 1000 / rate_hz,
        slips_frames=tuple(search.slip(a, b) for a, b in pairwise(found)),
    )


@dataclass(frozen=True, slots=True)
class _Gap:
    """A part of the item, and the part of the recording that may contain it."""

    item_from: int
    item_to: int
    recorded_from: int
    recorded_to: int


class _Search:
    """One item in one recording, both at the device's rate."""

    def __init__(self, item: Signal, recording: Signal, rate_hz: int) -> None:
        self._item, self._recording, self._rate_hz = item, recording, rate_hz

    def stretches(self) -> list[Stretch]:
        found = self._between(_Gap(0, len(self._item), 0, len(self._recording)))
        while found:
            last = found[-1]
            item_at = last.item_frame + last.frames
            recorded_at = last.recorded_frame + last.frames
            until = recorded_at + self._frames(RESUMES_WITHIN_MS)
            more = self._between(_Gap(item_at, len(self._item), recorded_at, until))
            if not more:
                break
            found += [*more[:-1], self._beyond(more[-1])]
        return self._joined(found)

    def _beyond(self, stretch: Stretch) -> Stretch:
        """Extend the stretch to its end, because the search window limits only its start."""
        item_at, recorded_at = stretch.item_frame, stretch.recorded_frame
        rest = _Gap(item_at, len(self._item), recorded_at, len(self._recording))
        whole = self._grown(item_at, recorded_at, rest)
        return max(stretch, whole, key=lambda s: s.frames)

    def _between(self, gap: _Gap) -> list[Stretch]:
        """Return a stretch in this gap, preceded by the short stretches skipped before it."""
        for item_at, recorded_at in self._places(gap):
            stretch = self._grown(item_at, recorded_at, gap)
            if self._stands_out(stretch):
                before = replace(
                    gap, item_to=stretch.item_frame, recorded_to=stretch.recorded_frame
                )
                return [*self._between(before), stretch]
        return []

    def next_sound(self, item_at: int) -> int:
        """Return the item's first sound from `item_at` on, or the item's end."""
        block = self._frames(1)
        rest = self._item[item_at:]
        power = np.mean(rest[: len(rest) // block * block].reshape(-1, block) ** 2, axis=1)
        loud = np.flatnonzero(power > LOUD**2)
        return item_at + int(loud[0]) * block if len(loud) else len(self._item)

    def slip(self, a: Stretch, b: Stretch) -> int:
        """Return the frames of sound lost (negative: repeated) between two stretches."""
        item_end, recorded_end = a.item_frame + a.frames, a.recorded_frame + a.frames
        if self.next_sound(item_end) >= b.item_frame >= item_end:
            return 0
        margin = self._frames(2)
        between = self._recording[recorded_end - margin : b.recorded_frame + margin]
        paused = _longest_run(between == 0.0)
        later = (b.recorded_frame - b.item_frame) - (a.recorded_frame - a.item_frame)
        return paused - later

    def _joined(self, found: list[Stretch]) -> list[Stretch]:
        """Join stretches that only a step of gain (ducking) separates."""
        joined: list[Stretch] = []
        for stretch in found:
            if joined:
                last = joined[-1]
                later = stretch.item_frame - last.item_frame
                hole = later - last.frames
                if later == stretch.recorded_frame - last.recorded_frame and hole <= self._frames(
                    STEP_MS
                ):
                    stretch = replace(last, frames=later + stretch.frames)
                    joined.pop()
            joined.append(stretch)
        return joined

    def _places(self, gap: _Gap) -> Iterator[tuple[int, int]]:
        """Yield candidate places for the item's sound at or soon after the gap's start."""
        region = Region(self._recording[gap.recorded_from : gap.recorded_to])
        for probe_ms, step_ms, skip_ms in PROBES_MS:
            for skipped_ms in range(0, skip_ms + 1, step_ms):
                begin = self.next_sound(gap.item_from + self._frames(skipped_ms))
                end = begin + self._frames(probe_ms)
                if end > gap.item_to:
                    break
                probe = self._item[begin:end]
                at = region.first_place_of(probe)
                if at is not None:
                    loudest = int(np.argmax(np.abs(probe)))  # certainly sound, not a pause
                    yield begin + loudest, gap.recorded_from + at + loudest

    def _grown(self, item_at: int, recorded_at: int, gap: _Gap) -> Stretch:
        """Return the longest stretch through this place that matches the item."""
        after = self._alike_frames(
            self._item[item_at:], self._recording[recorded_at : gap.recorded_to]
        )
        before = self._alike_frames(
            self._item[:item_at][::-1],
            self._recording[gap.recorded_from : recorded_at][::-1],
        )
        return Stretch(item_at - before, recorded_at - before, before + after)

    def _stands_out(self, stretch: Stretch) -> bool:
        """Return whether the stretch is long or isolated in silence, so not a chance match."""
        if not self._frames(LEAST_STRETCH_MS) <= stretch.frames < self._frames(SURE_STRETCH_MS):
            return stretch.frames >= self._frames(SURE_STRETCH_MS)
        near, far = self._frames(2), self._frames(5)  # 2 ms at its edges may belong to it
        begin, end = stretch.recorded_frame, stretch.recorded_frame + stretch.frames
        before = self._recording[max(0, begin - far) : max(0, begin - near)]
        after = self._recording[end + near : end + far]
        return all(np.mean(np.abs(side)) < QUIET for side in (before, after) if len(side))

    def _alike_frames(self, item: Signal, recorded: Signal) -> int:
        """Return the number of matching frames from the start, without silence at the end."""
        done = sure = 0
        for block_ms in BLOCKS_MS:
            block = self._frames(block_ms)
            blocks = min(len(item), len(recorded)) // block - done // block
            end = done + max(0, blocks) * block
            alike, silent = compare_blocks(
                item[done:end].reshape(-1, block), recorded[done:end].reshape(-1, block)
            )
            differs = np.flatnonzero(~(alike | silent))
            together = int(differs[0]) if len(differs) else len(alike)
            sounds = np.flatnonzero(alike[:together])
            if len(sounds):
                sure = done + (int(sounds[-1]) + 1) * block
            done += together * block
        played = np.flatnonzero(recorded[:sure])
        return int(played[-1]) + 1 if len(played) else 0

    def _frames(self, ms: int) -> int:
        return self._rate_hz * ms // 1000


def _longest_run(mask: Mask) -> int:
    """Return the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return int(max(edges[1::2] - edges[::2], default=0))
