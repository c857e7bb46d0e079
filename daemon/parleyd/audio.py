"""Arithmetic on mono audio: int16 conversion, resampling, decibels and a ring of frames.

Pure and deterministic; nothing blocks. An object belongs to one stream and one thread.
"""

import math
from typing import Generic, TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from parleyd.units import Floats, Frames

Doubles = NDArray[np.float64]

FULL_SCALE = 32768.0  # of int16; a power of two, so scaling by it is exact in float32
# arrays without axes: an operation with a number takes a third longer for a period
_TO_UNIT = np.array(1 / FULL_SCALE, np.float32)
_LEAST, _MOST = np.array(-32768, np.float32), np.array(32767, np.float32)
LEAST_POWER = 1e-12  # keeps the logarithm finite; far below half a step of int16, -96 dBFS
SILENCE_DBFS = -120.0  # the level of `LEAST_POWER`

Decibels = TypeVar("Decibels", float, Floats, Doubles)


# --- int16 ----------------------------------------------------------------------------


def round_to_int16(samples: Floats | Doubles) -> Frames:
    """Samples on int16's scale as frames: rounded to even, clipped."""
    rounded = np.rint(samples)
    return rounded.clip(_LEAST, _MOST, out=rounded).astype(np.int16)


def float_to_int16(samples: Floats | Doubles) -> Frames:
    """Samples of full scale 1.0 as frames: rounded to even, clipped."""
    return round_to_int16(samples * FULL_SCALE)


def clip_to_int16(sums: NDArray[np.int32]) -> Frames:
    """A sum of frames, clipped."""
    return np.clip(sums, -32768, 32767).astype(np.int16)


def int16_to_float(samples: Frames | Floats) -> Floats:
    """Samples on int16's scale as float32 of full scale 1.0; exact for frames."""
    scaled: Floats = samples * _TO_UNIT
    return scaled


def decode_pcm16(data: bytes) -> Frames:
    """Little-endian PCM16 as frames that the caller may change.

    Raises ValueError for half a frame.
    """
    return np.frombuffer(data, "<i2").astype(np.int16)


def encode_pcm16(frames: Frames) -> bytes:
    """Frames as little-endian PCM16."""
    return frames.astype("<i2").tobytes()


# --- rates ----------------------------------------------------------------------------


def resample(frames: Frames, from_hz: int, to_hz: int) -> Frames:
    """A whole clip at another rate, as a copy.

    In float32, because soxr dithers int16: the same audio would give other bytes.
    """
    if from_hz == to_hz or len(frames) == 0:
        return frames.astype(np.int16)
    return round_to_int16(soxr.resample(frames.astype(np.float32), from_hz, to_hz))


class StreamResampler:
    """One stream of frames at another rate; keeps state between chunks.

    The output lags behind the input by 6 to 40 ms, in blocks, or by 10 to 15 ms, evenly,
    if `low_latency` (soxr's variable-rate stream). In float32, as `resample`.
    """

    def __init__(self, from_hz: int, to_hz: int, *, low_latency: bool = False) -> None:
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, vr=low_latency)

    def process(self, frames: Frames, *, last: bool = False) -> Frames:
        """The frames that are ready after the given ones, perhaps none.

        `last`: the stream ends here; returns all that is left.
        """
        chunk = frames.astype(np.float32)
        return round_to_int16(self._stream.resample_chunk(chunk, last=last))


# --- decibels -------------------------------------------------------------------------


def db_to_gain(db: float) -> float:
    """The factor of an amplitude."""
    return float(10.0 ** (db / 20.0))


def db_to_power(db: Decibels) -> Decibels:
    """The factor of a power; float32 arrays stay float32."""
    power: Decibels = 10.0 ** (db / 10.0)
    return power


def power_to_db(power: Decibels) -> Decibels:
    """A power in dB; the caller keeps it above 0. Float32 arrays stay float32."""
    if isinstance(power, float):
        return 10.0 * math.log10(power)
    decibels: Decibels = np.multiply(10.0, np.log10(power))
    return decibels


def power_dbfs(power: float) -> float:
    """The level of a mean power of full scale 1.0; at least `SILENCE_DBFS`."""
    return power_to_db(max(power, LEAST_POWER))


def rms_dbfs(samples: Floats | Doubles) -> float:
    """RMS level of samples of full scale 1.0; `SILENCE_DBFS` for silence or no samples."""
    return _rms_db(samples, 1.0)


def level_dbfs(frames: Frames) -> float:
    """RMS level of frames; `SILENCE_DBFS` for silence or no frames."""
    return _rms_db(frames.astype(np.float32), FULL_SCALE)


def _rms_db(samples: Floats | Doubles, full_scale: float) -> float:
    if len(samples) == 0:
        return SILENCE_DBFS
    return power_dbfs(float(samples.dot(samples)) / (len(samples) * full_scale**2))


# --- buffers --------------------------------------------------------------------------


class FrameRing:
    """The newest frames of a stream in a ring of fixed capacity, first in, first out.

    An emptied ring starts over at its begin: where little is ever held, most of the
    store is never touched.
    """

    def __init__(self, store: Frames) -> None:
        self._store = store
        self._start = 0
        self._held = 0

    def __len__(self) -> int:
        """Frames held."""
        return self._held

    @property
    def space(self) -> int:
        """Frames that fit before the ring is full."""
        return len(self._store) - self._held

    def push(self, frames: Frames) -> None:
        """Add all these frames. Raises ValueError, and adds none, if they do not fit."""
        if len(frames) > self.space:
            raise ValueError(f"{len(frames)} frames for a ring with room for {self.space}")
        end = (self._start + self._held) % len(self._store)
        first = min(len(frames), len(self._store) - end)
        self._store[end : end + first] = frames[:first]
        if first < len(frames):
            self._store[: len(frames) - first] = frames[first:]
        self._held += len(frames)

    def push_over(self, frames: Frames) -> None:
        """Add the newest of these frames; drops the oldest frames where they do not fit."""
        frames = frames[-len(self._store) :]
        self.drop(max(0, len(frames) - self.space))
        self.push(frames)

    def pop(self, count: int) -> Frames:
        """Take the oldest `count` frames, fewer if fewer are held, as a copy."""
        taken = self._copy(self._start, min(count, self._held))
        self.drop(len(taken))
        return taken

    def newest(self, count: int) -> Frames:
        """The newest `count` frames, fewer if fewer are held, as a copy; they stay."""
        count = min(count, self._held)
        return self._copy((self._start + self._held - count) % len(self._store), count)

    def drop(self, count: int) -> None:
        """Forget the oldest `count` frames, or all if fewer are held."""
        self._held -= min(count, self._held)
        self._start = (self._start + count) % len(self._store) if self._held else 0

    def clear(self) -> None:
        """Forget all frames."""
        self._start = self._held = 0

    def _copy(self, start: int, count: int) -> Frames:
        first = min(count, len(self._store) - start)
        return np.concatenate([self._store[start : start + first], self._store[: count - first]])


Sample = TypeVar("Sample", bound=np.generic)


class SlidingWindow(Generic[Sample]):
    """The newest samples of a stream as one array, which is moved only now and then.

    `length`: samples in the window, zeros at first. `slack`: samples that are pushed between two
    moves; at least one push.
    """

    def __init__(self, length: int, slack: int, dtype: type[Sample]) -> None:
        self._store = np.zeros(length + slack, dtype)
        self._length = self._end = length

    @property
    def samples(self) -> NDArray[Sample]:
        """The window, oldest sample first: a view, valid until the next `push`."""
        return self._store[self._end - self._length : self._end]

    def push(self, newest: Frames | Floats) -> None:
        """Append at most `length` and at most `slack` samples; the oldest are dropped."""
        if self._end + len(newest) > len(self._store):
            kept = self._length - len(newest)
            self._store[:kept] = self._store[self._end - kept : self._end]
            self._end = kept
        end = self._end + len(newest)
        self._store[self._end : end] = newest
        self._end = end
