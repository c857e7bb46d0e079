import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parleyd.audio import resample
from parleyd.simulation.clips import synthesize
from parleyd.simulation.played_audio import heard_of
from parleyd.units import SILENCE, Frames

pytestmark = pytest.mark.slow

RATES_HZ = (16_000, 24_000, 44_100, 48_000)
EDGE_MS = 1.1


@pytest.fixture(scope="module")
def item(story: Frames) -> Frames:
    """A server's audio: int16 at 24 kHz."""
    return resample(story, 16_000, 24_000)


class Tape:
    """A composed loudspeaker recording; positions in the item are in ms."""

    def __init__(self, item: Frames, rate_hz: int = 48_000) -> None:
        self.rate_hz, self._item, self._tape = rate_hz, resample(item, 24_000, rate_hz), SILENCE

    def silence(self, ms: float) -> "Tape":
        return self.sound(np.zeros(self._frames(ms), np.int16))

    def play(self, from_ms: float, to_ms: float, *, fade_ms: float = 0, gain: float = 1) -> "Tape":
        part = self._item[self._frames(from_ms) : self._frames(to_ms)] * float(gain)
        fade = self._frames(fade_ms)
        part[:fade] *= np.linspace(0, 1, fade)
        return self.sound(np.rint(part).astype(np.int16))

    def sound(self, frames: Frames) -> "Tape":
        self._tape = np.concatenate((self._tape, frames))
        return self

    @property
    def frames(self) -> Frames:
        return self._tape

    def _frames(self, ms: float) -> int:
        return int(ms * self.rate_hz / 1000)


def assert_heard(item: Frames, tape: Tape, ms: float, **where: float) -> tuple[int, ...]:
    heard = heard_of(item, tape.frames, tape.rate_hz, **where)
    assert heard.least_ms <= ms + 0.3
    assert heard.most_ms >= ms - EDGE_MS
    return heard.slips_frames


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_heard_of_an_item_played_to_its_end(item: Frames, rate_hz: int) -> None:
    whole_ms = len(item) / 24
    tape = Tape(item, rate_hz).silence(700).play(0, whole_ms).silence(700)
    assert assert_heard(item, tape, whole_ms) == ()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_heard_of_an_item_cut_off(item: Frames, rate_hz: int) -> None:
    tape = Tape(item, rate_hz).silence(700).play(0, 1234.5).silence(700)
    assert assert_heard(item, tape, 1234.5) == ()


@pytest.mark.parametrize("ms", [5000, 5060, 5100])
def test_heard_of_an_item_that_resumes_for_over_4_s(item: Frames, ms: int) -> None:
    """The search for a resumption is limited to 4 s, but its length is not.

    An earlier version ended at 4969 ms here.
    """
    long = np.concatenate((item, item[::-1]))
    tape = Tape(long).silence(400).play(0, 1500).silence(530).play(1500, ms).silence(700)
    assert assert_heard(long, tape, ms) == (0,)


@settings(max_examples=15)
@given(ms=st.integers(30, 3500))
def test_heard_of_an_item_cut_off_anywhere(item: Frames, ms: int) -> None:
    tape = Tape(item).silence(200).play(0, ms).silence(200)
    assert_heard(item, tape, ms)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("resumed_ms", [900.0, 750.0, 1000.0])
def test_heard_of_a_paused_item_measures_the_slip(
    item: Frames, rate_hz: int, resumed_ms: float
) -> None:
    tape = Tape(item, rate_hz).silence(500).play(0, 900).silence(430)
    tape.play(resumed_ms, 2500, fade_ms=5).silence(500)
    (slip,) = assert_heard(item, tape, 2500)
    assert slip * 1000 / rate_hz == pytest.approx(resumed_ms - 900, abs=0.5)


def test_heard_of_a_ducked_item_has_no_gap(item: Frames) -> None:
    tape = Tape(item).play(0, 900).play(900, 1500, gain=0.126).play(1500, 2200).silence(500)
    assert assert_heard(item, tape, 2200) == ()


def test_heard_of_an_item_with_lost_frames_measures_the_slip(item: Frames) -> None:
    tape = Tape(item).play(0, 900).play(1100, 2200).silence(500)
    (slip,) = assert_heard(item, tape, 2200)
    assert slip == pytest.approx(200 * 48, abs=96)


def test_heard_of_ignores_other_speech(item: Frames) -> None:
    other = resample(synthesize("A quarter past nine. Anything else?", "slt"), 16_000, 48_000)
    tape = Tape(item).sound(other).play(0, 800).silence(300).sound(other)
    assert assert_heard(item, tape, 800) == ()
    nothing = heard_of(item, other, 48_000)
    assert (nothing.stretches, nothing.least_ms) == ((), 0.0)
    assert nothing.most_ms < 20


def test_heard_of_searches_only_the_given_part(item: Frames) -> None:
    tape = Tape(item).play(0, 700).silence(300).play(0, 1100).silence(300)
    assert_heard(item, tape, 700, to_s=1.0)
    assert_heard(item, tape, 1100, from_s=1.0)
    heard = heard_of(item, tape.frames, 48_000, from_s=1.0)
    assert heard.stretches[0].recorded_frame - heard.stretches[0].item_frame == 48_000


def test_heard_of_an_empty_recording_or_item_is_zero(item: Frames) -> None:
    assert heard_of(item, SILENCE, 48_000).least_ms == 0.0
    assert heard_of(SILENCE, np.ones(48_000, np.int16), 48_000).most_ms == 0.0
