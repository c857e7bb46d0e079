"""Playout never returns discarded frames, loses no frames, and counts heard frames exactly."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parleyd.playback.playout import Playout
from parleyd.units import SERVER_RATE_HZ, Frames
from tests.soak.memory import rss_kb

FADE_IN_MS = 5

RATE = SERVER_RATE_HZ  # without a resampler, so single frames can be compared


def ramp(start: int, count: int) -> Frames:
    """Return frames that identify their position: never near 0, unique within 29,000."""
    return (np.arange(start, start + count) % 29_000 + 1000).astype(np.int16)


class Device:
    """A sound card's queue of written frames that are not yet heard."""

    def __init__(self) -> None:
        self.queue: deque[int] = deque()
        self.heard: list[int] = []

    def write(self, frames: Frames) -> None:
        self.queue.extend(frames.tolist())

    def play(self, count: int) -> None:
        for _ in range(min(count, len(self.queue))):
            self.heard.append(self.queue.popleft())


class PlayoutMachine(RuleBasedStateMachine):
    """Any order of calls, with a device that plays at any pace."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout(device_rate_hz=RATE, capacity_s=0.5)
        self.device = Device()
        self.position = 0
        self.item = 0
        self.fed: dict[str, int] = {}
        self.expected: deque[int] = deque()  # frames of live items that must still be heard
        self.discarded: set[str] = set()
        self.last_heard: dict[str, int] = {}

    @rule(count=st.integers(1, 6000))
    def append(self, count: int) -> None:
        item = f"item{self.item}"
        taken = self.playout.append(item, 0, ramp(self.position, count))
        assert 0 <= taken <= count
        self.expected.extend(ramp(self.position, taken).tolist())
        self.position += taken
        self.fed[item] = self.fed.get(item, 0) + taken

    @rule()
    def next_item(self) -> None:
        self.playout.finish(f"item{self.item}", 0)
        self.item += 1

    @rule(count=st.integers(1, 2000))
    def pull(self, count: int) -> None:
        frames = self.playout.pull(count)
        assert len(frames) == count
        self.device.write(frames)

    @rule(count=st.integers(1, 3000))
    def play(self, count: int) -> None:
        self.device.play(count)
        self.playout.heard(len(self.device.queue))

    @rule()
    def hold(self) -> None:
        self.playout.hold(len(self.device.queue))
        self.device.queue.clear()
        assert not self.playout.pull(100).any()
        self.playout.hold(100)

    @rule()
    def resume(self) -> None:
        self.playout.resume()

    @rule()
    def discard(self) -> None:
        results = self.playout.discard(len(self.device.queue))
        self.device.queue.clear()
        for result in results:
            assert not result.complete
            assert result.heard_ms <= result.received_ms
            self.discarded.add(result.item_id)
        self.expected.clear()
        self.item += 1
        assert not self.playout.busy

    @precondition(lambda self: self.item > 0)
    @rule(count=st.integers(1, 1000))
    def late_delta_of_the_last_item(self, count: int) -> None:
        item = f"item{self.item - 1}"
        if item in self.discarded:
            assert self.playout.append(item, 0, ramp(self.position, count)) == 0
        elif item in self.fed:  # finished: some servers send audio after its end
            taken = self.playout.append(item, 0, ramp(self.position, count))
            self.expected.extend(ramp(self.position, taken).tolist())
            self.position += taken
            self.playout.finish(item, 0)

    @invariant()
    def heard_is_a_prefix_of_what_was_expected(self) -> None:
        fade = RATE * FADE_IN_MS // 1000
        for value in self.device.heard:
            if value == 0:
                continue
            assert self.expected, "an unexpected frame was heard"
            expected = self.expected.popleft()
            if value != expected:  # only the first frames after a resume may be lower
                fade -= 1
                assert fade >= 0
                assert value < expected
        self.device.heard.clear()

    @invariant()
    def heard_is_monotone_and_never_above_received(self) -> None:
        for item in self.fed:
            now = self.playout.heard_ms(item)
            assert now >= self.last_heard.get(item, 0)
            assert now <= self.playout.received_ms(item)
            self.last_heard[item] = now


PlayoutMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPlayoutMachine = PlayoutMachine.TestCase


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([16_000, 24_000, 44_100, 48_000]),
    seconds=st.floats(0.05, 1.5),
    holds=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=4),
    lead=st.integers(2, 8),
)
def test_playout_hold_and_resume_lose_and_repeat_no_frame(
    rate: int, seconds: float, holds: list[tuple[int, int]], lead: int
) -> None:
    rng = np.random.default_rng(int(seconds * 1000) + rate)
    audio = rng.integers(8_000, 12_000, int(seconds * RATE)).astype(np.int16)  # never near 0

    def play(pauses: dict[int, int]) -> Frames:
        playout = Playout(device_rate_hz=rate, capacity_s=2)
        playout.append("a", 0, audio)
        playout.finish("a", 0)
        queue = np.zeros(0, np.int16)
        heard = []
        period = rate // 100
        waiting = -1
        for tick in range(1000):
            heard.append(queue[:period])
            queue = queue[period:]
            playout.heard(len(queue))
            if tick in pauses:
                playout.hold(len(queue))
                queue = queue[:0]
                waiting = pauses[tick]
            if waiting == 0:
                playout.resume()
            waiting -= 1
            queue = np.concatenate((queue, playout.pull(lead * period - len(queue))))
            if not playout.busy:
                break
        assert not playout.busy
        assert playout.heard_ms("a") == playout.received_ms("a")
        out = np.concatenate(heard)
        return out[out != 0]

    straight = play({})
    broken = play(dict(holds))
    assert len(broken) == len(straight)
    assert np.sum(broken != straight) <= len(holds) * (rate * FADE_IN_MS // 1000)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_playout_plays_a_whole_item_at_the_devices_rate(rate: int) -> None:
    playout = Playout(device_rate_hz=rate, capacity_s=2)
    tone = (9000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.int16)
    for start in range(0, RATE, 2400):
        playout.append("a", 0, tone[start : start + 2400])
    playout.finish("a", 0)
    out = np.concatenate([playout.pull(rate // 100) for _ in range(100)])
    expected = 9000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    error = out[500:-500] - expected[500:-500]
    assert np.sqrt(np.mean(error**2)) < 20
    playout.heard(0)
    assert playout.heard_ms("a") == 1000
    assert not playout.busy


def test_playout_heard_ms_excludes_queued_frames_rounded_down() -> None:
    playout = Playout(device_rate_hz=48_000, capacity_s=2)
    playout.append("a", 0, ramp(0, RATE))
    playout.pull(48_000 // 2)
    playout.heard(queued_frames=48 * 40 + 1)  # 40 ms and one frame are still in the device
    assert playout.heard_ms("a") == 459
    assert [(h.heard_ms, h.received_ms) for h in playout.discard(48 * 40 + 1)] == [(459, 1000)]


def test_playout_full_ring_returns_the_accepted_frames() -> None:
    playout = Playout(device_rate_hz=RATE, capacity_s=1)
    assert playout.append("a", 0, ramp(0, RATE - 10)) == RATE - 10
    assert playout.append("a", 0, ramp(0, 100)) == 10
    assert playout.append("a", 0, ramp(0, 100)) == 0
    assert playout.received_ms("a") == 1000
    playout.pull(RATE // 2)
    assert playout.append("a", 0, ramp(0, RATE)) > 0


def test_playout_accounts_for_several_items_separately() -> None:
    playout = Playout(device_rate_hz=RATE, capacity_s=2)
    for item in ("a", "b", "c"):
        playout.append(item, 0, ramp(0, RATE // 4))
        playout.finish(item, 0)
    playout.pull(RATE // 2 - 1)
    heard = playout.discard(RATE // 8)
    assert [(h.item_id, h.heard_ms, h.complete) for h in heard] == [
        ("b", 124, False),
        ("c", 0, False),
    ]
    assert playout.discard(0) == []


def test_playout_resume_fades_in() -> None:
    playout = Playout(device_rate_hz=RATE, capacity_s=1)
    playout.append("a", 0, np.full(RATE // 2, 10_000, np.int16))
    playout.pull(1000)
    playout.hold(0)
    playout.resume()
    faded = playout.pull(RATE * FADE_IN_MS // 1000 + 10)
    assert abs(faded[0]) < 200
    assert np.all(np.diff(faded) >= 0)
    assert np.all(faded[-10:] == 10_000)


def test_playout_duck_lowers_and_restores_without_loss() -> None:
    playout = Playout(device_rate_hz=RATE, capacity_s=1)
    playout.append("a", 0, np.full(RATE // 2, 10_000, np.int16))
    playout.set_duck(0.125)
    playout.pull(240)
    assert np.all(playout.pull(240) == 1250)
    playout.set_duck(1.0)
    playout.pull(240)
    assert np.all(playout.pull(240) == 10_000)
    playout.heard(0)
    assert playout.heard_ms("a") == 40


def test_playout_of_1000_items_stays_bounded() -> None:
    playout = Playout(device_rate_hz=RATE, capacity_s=1)
    for number in range(1000):
        playout.append(f"item{number}", 0, ramp(0, 10))
    assert len(playout._parts) <= 65


def test_playout_volume_ramp_ignores_an_empty_pull() -> None:
    playout = Playout(RATE, 1)
    playout.append("a", 0, ramp(0, 4800))
    playout.set_volume(0.5)
    assert len(playout.pull(0)) == 0
    heard = playout.pull(480)
    assert abs(2 * heard[-1] - ramp(479, 1)[0]) <= 1
    assert heard[0] > ramp(0, 1)[0] // 2


def test_playout_without_audio_takes_no_memory() -> None:
    before_kb = rss_kb()
    for _ in range(4):  # like reloads: the allocator would reuse freed memory
        playout = Playout(48_000, 360)
        assert playout.buffered_ms == 0
        assert rss_kb() - before_kb < 5_000
        del playout
