"""The shared audio arithmetic."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parleyd.audio import (
    SILENCE_DBFS,
    FrameRing,
    SlidingWindow,
    StreamResampler,
    clip_to_int16,
    db_to_gain,
    db_to_power,
    decode_pcm16,
    encode_pcm16,
    float_to_int16,
    int16_to_float,
    level_dbfs,
    power_to_db,
    resample,
    rms_dbfs,
    round_to_int16,
)
from parleyd.units import SILENCE, Frames

EVERY_VALUE = np.arange(-32768, 32768).astype(np.int16)
RATES_HZ = (8_000, 16_000, 24_000, 44_100, 48_000)


def tone(rate_hz: int, seconds: float = 1.0) -> Frames:
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(12_000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_to_int16_beyond_full_scale_clips(dtype: type[np.floating]) -> None:
    samples = np.array([-1e6, -32769, -0.5, 0.5, 1.5, 2.4, 32767.6, 1e6], dtype)
    assert round_to_int16(samples).tolist() == [-32768, -32768, 0, 0, 2, 2, 32767, 32767]


def test_clip_to_int16_beyond_full_scale_clips() -> None:
    sums = np.array([-65536, -32769, -1, 0, 32768, 65534], np.int32)
    assert clip_to_int16(sums).tolist() == [-32768, -32768, -1, 0, 32767, 32767]


def test_int16_to_float_and_back_is_exact() -> None:
    samples = int16_to_float(EVERY_VALUE)
    assert samples.dtype == np.float32
    assert (samples[0], samples[-1]) == (-1.0, 32767 / 32768)
    np.testing.assert_array_equal(float_to_int16(samples), EVERY_VALUE)


def test_decode_pcm16_is_little_endian_and_a_copy() -> None:
    data = bytes([0x01, 0x02, 0xFF, 0xFF])
    frames = decode_pcm16(data)
    assert frames.tolist() == [0x0201, -1]
    assert encode_pcm16(frames) == data
    frames[0] = 0  # the copy may change, the bytes do not


def test_decode_pcm16_half_a_frame_raises() -> None:
    with pytest.raises(ValueError, match="multiple"):
        decode_pcm16(b"\0\0\0")


@pytest.mark.parametrize("from_hz", RATES_HZ)
@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_resample_keeps_a_tone(from_hz: int, to_hz: int) -> None:
    found, wanted = resample(tone(from_hz), from_hz, to_hz), tone(to_hz)
    assert len(found) == pytest.approx(len(wanted), abs=1)
    middle = slice(to_hz // 10, -to_hz // 10)
    difference = found[middle].astype(int) - wanted[middle].astype(int)
    assert np.abs(difference).max() <= 20


def test_resample_at_the_same_rate_copies() -> None:
    frames = tone(16_000)
    same = resample(frames, 16_000, 16_000)
    np.testing.assert_array_equal(same, frames)
    assert not np.shares_memory(same, frames)


def test_resample_of_no_frames_is_empty() -> None:
    assert len(resample(SILENCE, 24_000, 16_000)) == 0


@given(st.lists(st.integers(0, 2000), max_size=30), st.booleans())
def test_stream_resampler_any_chunks_same_frames(sizes: list[int], low_latency: bool) -> None:
    frames = tone(16_000, 2.0)[: sum(sizes)]
    whole = StreamResampler(16_000, 24_000, low_latency=low_latency)
    expected = whole.process(frames, last=True)
    stream = StreamResampler(16_000, 24_000, low_latency=low_latency)
    parts, start = [], 0
    for size in sizes:
        parts.append(stream.process(frames[start : start + size]))
        start += size
    parts.append(stream.process(SILENCE, last=True))
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_stream_resampler_low_latency_lags_15_ms_at_most() -> None:
    stream = StreamResampler(16_000, 24_000, low_latency=True)
    given = 0
    for period in range(1, 200):
        given += len(stream.process(np.zeros(160, np.int16)))
        assert 0 <= period * 240 - given <= 24 * 15


@given(st.floats(-120, 60))
def test_decibels_round_trip_keeps_the_value(db: float) -> None:
    assert power_to_db(db_to_power(db)) == pytest.approx(db, abs=1e-9)
    assert db_to_gain(db) ** 2 == pytest.approx(db_to_power(db))


def test_decibels_of_float32_arrays_stay_float32() -> None:
    power = db_to_power(np.array([-60.0, 0.0, 20.0], np.float32))
    assert power.dtype == power_to_db(power).dtype == np.float32
    np.testing.assert_allclose(power, [1e-6, 1.0, 100.0], rtol=1e-6)


def test_level_of_a_full_scale_square_wave_is_0_dbfs() -> None:
    square = np.where(np.arange(160) % 2, 32767, -32768).astype(np.int16)
    assert level_dbfs(square) == pytest.approx(0.0, abs=0.001)
    assert level_dbfs((square // 10).astype(np.int16)) == pytest.approx(-20.0, abs=0.01)
    assert rms_dbfs(int16_to_float(square)) == level_dbfs(square)


def test_level_of_silence_is_the_lowest() -> None:
    assert level_dbfs(np.zeros(160, np.int16)) == pytest.approx(SILENCE_DBFS)
    assert level_dbfs(SILENCE) == SILENCE_DBFS
    assert level_dbfs(np.array([1] + [0] * 159, np.int16)) > SILENCE_DBFS


CAPACITY = 7


class RingMachine(RuleBasedStateMachine):
    """Compares a ring with a bounded queue."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = FrameRing(np.full(CAPACITY, -1, np.int16))
        self.queue: deque[int] = deque(maxlen=CAPACITY)
        self.pushed = 0

    def _next(self, count: int) -> Frames:
        self.pushed += count
        return np.arange(self.pushed - count, self.pushed).astype(np.int16)

    @rule(count=st.integers(0, 2 * CAPACITY))
    def push(self, count: int) -> None:
        frames = self._next(count)
        if count <= CAPACITY - len(self.queue):
            self.ring.push(frames)
            self.queue.extend(frames.tolist())
        else:
            with pytest.raises(ValueError, match="room for"):
                self.ring.push(frames)

    @rule(count=st.integers(0, 3 * CAPACITY))
    def push_over(self, count: int) -> None:
        frames = self._next(count)
        self.ring.push_over(frames)
        self.queue.extend(frames.tolist())

    @rule(count=st.integers(0, 2 * CAPACITY))
    def pop(self, count: int) -> None:
        taken = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        assert self.ring.pop(count).tolist() == taken

    @rule(count=st.integers(0, 2 * CAPACITY))
    def drop(self, count: int) -> None:
        for _ in range(min(count, len(self.queue))):
            self.queue.popleft()
        self.ring.drop(count)

    @rule()
    def clear(self) -> None:
        self.queue.clear()
        self.ring.clear()

    @invariant()
    def holds_the_same(self) -> None:
        held = list(self.queue)
        assert len(self.ring) == len(held)
        assert self.ring.space == CAPACITY - len(held)
        for count in range(CAPACITY + 2):
            assert self.ring.newest(count).tolist() == held[len(held) - min(count, len(held)) :]


TestFrameRing = RingMachine.TestCase
TestFrameRing.settings = settings(max_examples=60, stateful_step_count=30)


def test_ring_when_emptied_touches_only_its_start() -> None:
    store = np.zeros(100, np.int16)
    ring = FrameRing(store)
    for _ in range(50):
        ring.push(np.ones(10, np.int16))
        assert len(ring.pop(10)) == 10
    assert np.count_nonzero(store) == 10


def test_ring_never_changes_taken_frames() -> None:
    ring = FrameRing(np.zeros(10, np.int16))
    ring.push(np.arange(10, dtype=np.int16))
    newest, taken = ring.newest(4), ring.pop(10)
    ring.push(np.full(10, -1, np.int16))
    assert newest.tolist() == [6, 7, 8, 9]
    assert taken.tolist() == list(range(10))


def test_window_drops_the_oldest_samples() -> None:
    window = SlidingWindow(6, 4, np.int16)
    stream = np.arange(100, dtype=np.int16)
    for start in range(0, 100, 4):  # moves now and then
        window.push(stream[start : start + 4])
        expected = np.concatenate([np.zeros(6, np.int16), stream[: start + 4]])[-6:]
        assert window.samples.tolist() == expected.tolist()


def test_window_changed_in_place_keeps_the_change() -> None:
    window = SlidingWindow(4, 4, np.int16)
    window.push(np.array([1, 2, 3, 4], np.int16))
    window.samples[2:] = 0
    window.push(np.array([5, 6], np.int16))
    assert window.samples.tolist() == [0, 0, 5, 6]
