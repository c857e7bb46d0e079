"""How much of an item was really heard, found in the recording of the loudspeaker itself.

Independent of the core's own accounting, so that the one can be judged by the
other: the item's audio is brought to the device's rate and searched for in the
recording, stretch by stretch, whatever pauses, fades, ducking or jumps lie between.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr
from numpy.typing import NDArray

from parleyd.room.convolution import Signal
from parleyd.units import SERVER_RATE_HZ, Frames

Mask = NDArray[np.bool_]

BLOCKS_MS = (5, 1)  # a stretch grows in coarse steps while they fit, then in fine ones
BLOCK_EXPLAINED = 0.95  # of a block's power; a waveform explains 0.99 of itself
PROBE_ALIKE = 0.98  # correlation; the neighbouring period of a voice reaches 0.9
PROBES_MS = ((200, 1000), (60, 120), (20, 0))  # length of a probe, how far it may skip lost frames
PROBE_STEP_MS = 60
LEAST_STRETCH_MS = 15  # what is shorter is a likeness by chance
QUIET = 16.0  # RMS in int16 steps, -66 dBFS: below it a waveform tells nothing
LOUD = 40.0  # RMS of 1 ms: what no quiet 5 ms can hold
RESUMES_WITHIN_S = 10.0  # a pause longer than this ends the item


@dataclass(frozen=True, slots=True)
class Stretch:
    """`frames` of the item from `item_frame` on were played at `recorded_frame` (device rate)."""

    item_frame: int
    recorded_frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one item: its stretches in order, and the bounds of how far it came."""

    stretches: tuple[Stretch, ...]
    least_ms: float
    """The last of the item's sound that is in the recording ends here."""
    most_ms: float
    """... and here, if silence that follows in the item was played too: silence can't be told."""
    slips_frames: tuple[int, ...]
    """At each join of two stretches: sound lost (positive) or heard twice (negative).

    Exact to a few frames where digital silence lies between, else to 2 ms.
    """


def heard_of(
    item: Frames,
    loudspeaker: Frames,
    rate_hz: int,
    *,
    from_s: float = 0.0,
    to_s: float | None = None,
) -> Heard:
    """What of `item` (int16, 24 kHz, as the server sent it) is in `loudspeaker` (at `rate_hz`).

    Looks between `from_s` and `to_s` of the recording; frames in the result count
    at the device's rate, from the item's and the recording's beginning. The edges
    of sound are exact to about 1 ms.
    """
    sound = item.astype(np.float64)
    if rate_hz != SERVER_RATE_HZ:
        sound = np.asarray(soxr.resample(sound, SERVER_RATE_HZ, rate_hz))
    first = int(from_s * rate_hz)
    last = len(loudspeaker) if to_s is None else int(to_s * rate_hz)
    search = _Search(sound, loudspeaker[first:last].astype(np.float64), rate_hz)
    found = search.stretches()
    end = max((s.item_frame + s.frames for s in found), default=0)
    return Heard(
        stretches=tuple(Stretch(s.item_frame, s.recorded_frame + first, s.frames) for s in found),
        least_ms=end * 1000 / rate_hz,
        most_ms=search.next_sound(end) * 1000 / rate_hz,
        slips_frames=tuple(search.slip(a, b) for a, b in pairwise(found)),
    )


class _Search:
    """One item in one recording, both at the device's rate."""

    def __init__(self, item: Signal, recording: Signal, rate_hz: int) -> None:
        self._item, self._recording, self._rate_hz = item, recording, rate_hz

    def stretches(self) -> list[Stretch]:
        found: list[Stretch] = []
        item_at, recorded_at, until = 0, 0, len(self._recording)
        while (place := self._find(item_at, recorded_at, until)) is not None:
            stretch = self._grown(*place, recorded_at)
            if stretch.frames < self._frames(LEAST_STRETCH_MS):
                break
            found.append(stretch)
            item_at = stretch.item_frame + stretch.frames
            recorded_at = stretch.recorded_frame + stretch.frames
            until = recorded_at + int(RESUMES_WITHIN_S * self._rate_hz)
        return found

    def next_sound(self, item_at: int) -> int:
        """The item's first frame from `item_at` on that is not silence; its end if none is."""
        block = self._frames(1)
        rest = self._item[item_at:]
        power = np.mean(rest[: len(rest) // block * block].reshape(-1, block) ** 2, axis=1)
        loud = np.flatnonzero(power > LOUD**2)
        return item_at + int(loud[0]) * block if len(loud) else len(self._item)

    def slip(self, a: Stretch, b: Stretch) -> int:
        """Frames of sound lost (or, negative, repeated) between two stretches."""
        item_end, recorded_end = a.item_frame + a.frames, a.recorded_frame + a.frames
        if self.next_sound(item_end) >= b.item_frame >= item_end:
            return 0
        margin = self._frames(2)
        between = self._recording[recorded_end - margin : b.recorded_frame + margin]
        paused = _longest_run(between == 0.0)
        later = (b.recorded_frame - b.item_frame) - (a.recorded_frame - a.item_frame)
        return paused - later

    def _find(self, item_at: int, recorded_at: int, until: int) -> tuple[int, int] | None:
        """Where the item's sound from `item_at` on, or soon after it, is first found again."""
        region = _Region(self._recording[recorded_at:until])
        for probe_ms, skip_ms in PROBES_MS:
            for skipped_ms in range(0, skip_ms + 1, PROBE_STEP_MS):
                begin = self.next_sound(item_at + self._frames(skipped_ms))
                probe = self._item[begin : begin + self._frames(probe_ms)]
                if len(probe) == self._frames(probe_ms):
                    at = region.first_place_of(probe)
                    if at is not None:
                        loudest = int(np.argmax(np.abs(probe)))  # sure to be sound, not a pause
                        return begin + loudest, recorded_at + at + loudest
        return None

    def _grown(self, item_at: int, recorded_at: int, not_before: int) -> Stretch:
        """The longest stretch through this place that sounds like the item."""
        after = self._alike_frames(self._item[item_at:], self._recording[recorded_at:])
        before = self._alike_frames(
            self._item[:item_at][::-1], self._recording[not_before:recorded_at][::-1]
        )
        return Stretch(item_at - before, recorded_at - before, before + after)

    def _alike_frames(self, item: Signal, recorded: Signal) -> int:
        """For how many frames the two go together, not counting silence at the end."""
        done = sure = 0
        for block_ms in BLOCKS_MS:
            block = self._frames(block_ms)
            blocks = min(len(item), len(recorded)) // block - done // block
            end = done + max(0, blocks) * block
            alike, silent, stepped = _compare(
                item[done:end].reshape(-1, block), recorded[done:end].reshape(-1, block)
            )
            alike[1:-1] |= stepped[1:-1] & alike[:-2] & alike[2:]
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


class _Region:
    """A piece of the recording in which probes are looked for, by normalised correlation."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._fft_frames = 1 << (max(1, len(signal)) * 2 - 1).bit_length()
        self._spectrum = np.fft.rfft(signal, self._fft_frames)
        self._energy = np.concatenate(([0.0], np.cumsum(signal**2)))

    def first_place_of(self, probe: Signal) -> int | None:
        """The first place that sounds like the probe, at any gain; None when there is none."""
        places = len(self._signal) - len(probe) + 1
        energy_there = (
            self._energy[len(probe) :] - self._energy[: max(0, places)]
            if places > 0
            else np.zeros(0)
        )
        loud = energy_there > len(probe)
        if not loud.any():
            return None
        product = np.fft.irfft(
            self._spectrum * np.conj(np.fft.rfft(probe, self._fft_frames)), self._fft_frames
        )[:places]
        alike = np.zeros(places)
        alike[loud] = product[loud] / np.sqrt(energy_there[loud] * np.sum(probe**2))
        best = float(alike.max())
        if best < PROBE_ALIKE:
            return None
        first = int(np.flatnonzero(alike >= max(PROBE_ALIKE, best - 0.005))[0])
        return first + int(np.argmax(alike[first : first + len(probe) // 4]))


def _compare(item: Signal, recorded: Signal) -> tuple[Mask, Mask, Mask]:
    """Block by block: does the item explain the recording; are both silent; or did the gain step?

    The gain may be any, and change linearly within a block as in a fade. A block in which it
    steps (ducking) is explained in part only, so its neighbours have to vouch for it.
    """
    slope = item * np.linspace(-1.0, 1.0, item.shape[1])
    power = np.sum(recorded**2, axis=1)
    aa, ab, bb = (np.sum(x * y, axis=1) for x, y in ((item, item), (item, slope), (slope, slope)))
    ra, rb = np.sum(recorded * item, axis=1), np.sum(recorded * slope, axis=1)
    determinant = np.maximum(aa * bb - ab**2, 1e-9)
    explained = (ra**2 * bb - 2 * ra * rb * ab + rb**2 * aa) / determinant
    quiet = item.shape[1] * QUIET**2
    sounds = (aa > quiet) & (power > item.shape[1])
    alike = sounds & (explained > BLOCK_EXPLAINED * power) & (ra > 0)
    stepped = sounds & (explained > 0.3 * power) & (ra > 0)
    return alike, (aa <= quiet) & (power <= 4 * quiet), stepped


def _longest_run(mask: Mask) -> int:
    """The length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return int(max(edges[1::2] - edges[::2], default=0))
