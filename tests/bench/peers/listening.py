"""Pure functions that listen to recordings: silence, places in answers, lost beginnings."""

import numpy as np

from parleyd.audio import FULL_SCALE, Doubles, db_to_gain
from parleyd.simulation.convolution import Signal
from parleyd.simulation.waveform_match import Mask
from parleyd.units import MIC_RATE_HZ, Frames

BLOCK_MS = 5
BLOCK = MIC_RATE_HZ * BLOCK_MS // 1000
SILENCE_DBFS = -80.0  # answers carry noise of -60 dBFS, so their pauses are not silence
GAP_BLOCKS = 12  # 60 ms; a shorter gap is not a stop
PROBE_S = 0.7
LEAST_PROBE_S = 0.3
ALIKE = 0.5  # correlation at which an answer is recognised
SAME = 0.8  # correlation of a short stretch; a client's own tone reaches less
PART = 800  # 50 ms
AUDIBLE_DBFS = -45.0  # quieter parts of a clip are pauses
KEPT = 0.3  # a part that is sent at less than this gain, relative to the rest, is lost
FOUND = 0.15  # correlation at which a clip counts as sent


def sounding(loudspeaker: Frames) -> Mask:
    """Return for each block of 5 ms whether it has sound."""
    whole = len(loudspeaker) // BLOCK * BLOCK
    blocks = loudspeaker[:whole].reshape(-1, BLOCK) / FULL_SCALE
    return np.asarray(np.mean(blocks**2, axis=1) > db_to_gain(SILENCE_DBFS) ** 2)


def without_short_gaps(on: Mask) -> Mask:
    """Return the mask with the gaps under 60 ms filled."""
    solid = on.copy()
    edges = np.flatnonzero(np.diff(np.concatenate(([True], on, [True])).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if last - first < GAP_BLOCKS:
            solid[first:last] = True
    return solid


def place_in(answer: Signal, heard: Signal) -> tuple[float, int]:
    """Return the best correlation of `heard` (16 kHz) in `answer`, and the frame where it ends."""
    if len(heard) > len(answer) or not np.any(heard):
        return 0.0, 0
    size = 1 << (len(answer) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(answer, size) * np.conj(np.fft.rfft(heard, size)), size)
    energy = np.concatenate(([0.0], np.cumsum(answer**2)))
    places = len(answer) - len(heard) + 1
    there = np.maximum(energy[len(heard) :] - energy[:places], 1e-9)
    alike = product[:places] / np.sqrt(there * np.sum(heard**2))
    best = int(np.argmax(alike))
    return float(alike[best]), best + len(heard)


def heard_until(loudspeaker: Frames, frame: int, answer: Signal) -> float | None:
    """Return the milliseconds of `answer` that had been played by `frame`; None: not this answer.

    The sound before `frame` is searched for in the answer.
    """
    heard = loudspeaker[max(0, frame - int(PROBE_S * MIC_RATE_HZ)) : frame] / FULL_SCALE
    loud = np.flatnonzero(np.abs(heard) > 0)
    if len(loud) == 0:
        return None
    heard = heard[loud[0] :]
    if len(heard) < LEAST_PROBE_S * MIC_RATE_HZ:
        return None
    alike, end = place_in(answer, heard)
    return 1000 * end / MIC_RATE_HZ if alike > ALIKE else None


def blocks_of(loudspeaker: Frames, on: Mask, answer: Signal) -> list[int]:
    """Return the sounding blocks whose stretch is from `answer`, not a tone of the client's own."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(np.int8), [0]))))
    found: list[int] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        stretch = loudspeaker[first * BLOCK : last * BLOCK][: int(PROBE_S * MIC_RATE_HZ)]
        if place_in(answer, stretch / FULL_SCALE)[0] > SAME:
            found += range(int(first), int(last))
    return found


def lost_beginning_ms(sent: Signal, clip: Signal) -> int | None:
    """Return how much of a clip's beginning is not in the sent audio; None: the clip is not there.

    Both at 16 kHz, full scale 1.0. Resolution 50 ms.
    """
    around = np.concatenate((np.zeros(len(clip)), sent, np.zeros(len(clip))))
    alike, end = place_in(around, clip)
    if alike < FOUND:
        return None
    copy = around[end - len(clip) : end]
    gains = _gains(clip, copy)
    audible = np.flatnonzero(~np.isnan(gains))
    if len(audible) == 0:
        return None
    usual = float(np.median(gains[audible[len(audible) // 3 :]]))
    kept = [place for place in audible if gains[place] > KEPT * usual]
    return int((kept[0] - audible[0]) * 1000 * PART // MIC_RATE_HZ) if kept else None


def _gains(clip: Signal, copy: Signal) -> Doubles:
    """Return the gain of each 50 ms of the copy; NaN where the clip is quiet."""
    parts = len(clip) // PART
    original, copied = (x[: parts * PART].reshape(parts, PART) for x in (clip, copy))
    energy = np.sum(original**2, axis=1)
    gains = np.sum(original * copied, axis=1) / np.maximum(energy, 1e-12)
    gains[energy < PART * db_to_gain(AUDIBLE_DBFS) ** 2] = np.nan
    return np.asarray(gains)
