"""The reference stays aligned with the microphone after starts, drops and jitter."""

import numpy as np
import pytest

from parleyd.hearing.reference import Reference
from parleyd.units import Frames

LAG_MS = 25


def noise(count: int, seed: int = 0) -> Frames:
    smooth = np.convolve(np.random.default_rng(seed).standard_normal(count), np.ones(24) / 24)
    return np.rint(20_000 * smooth[:count]).astype(np.int16)


def lag_ms(played: Frames, rate_hz: int, reference: Frames) -> float:
    """Return the delay of `reference` (16 kHz) relative to `played`."""
    played16 = played[:: rate_hz // 16_000].astype(float)[: len(reference)]
    size = 2 * len(reference)
    product = np.fft.rfft(reference.astype(float), size) * np.conj(np.fft.rfft(played16, size))
    return float(np.argmax(np.fft.irfft(product)[:1600])) / 16


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("lead_ms", [20, 40, 100])
def test_reference_is_not_delayed_by_priming_the_card(rate_hz: int, lead_ms: int) -> None:
    period = rate_hz // 100
    reference = Reference(rate_hz, period * (lead_ms // 10 - 1))
    written = noise(rate_hz)
    head = period * (lead_ms // 10 - 1)
    reference.written(written[: head + period])
    taken = [reference.take()]
    for start in range(head + period, len(written) - period, period):
        reference.written(written[start : start + period])
        taken.append(reference.take())
        assert not reference.slipped
    line = np.concatenate(taken)
    assert lag_ms(written[head:], rate_hz, line) == pytest.approx(LAG_MS, abs=10)


def test_reference_with_two_periods_at_once_does_not_move() -> None:
    rate_hz, period = 48_000, 480
    written = noise(rate_hz)
    steady, jittery = Reference(rate_hz), Reference(rate_hz)
    one, two = [], []
    for tick in range(90):
        steady.written(written[tick * period : (tick + 1) * period])
        if tick % 10 == 5:
            pass  # late: no write in this period
        elif tick % 10 == 6:
            jittery.written(written[(tick - 1) * period : (tick + 1) * period])
        else:
            jittery.written(written[tick * period : (tick + 1) * period])
        one.append(steady.take())
        two.append(jittery.take())
    same = [np.array_equal(a, b) for a, b in zip(one, two, strict=True)]
    assert sum(same) >= 0.7 * len(same)


@pytest.mark.parametrize("burst", [3, 8, 16])
def test_reference_of_bursts_does_not_move(burst: int) -> None:
    """A sound server hands out many periods at once: the first of them writes for all."""
    period = 480
    written = noise(period * 320)
    steady, bursty = Reference(48_000), Reference(48_000)
    one, two, slips = [], [], 0
    for tick in range(320):
        steady.written(written[tick * period : (tick + 1) * period])
        if tick % burst == 0:
            bursty.written(written[tick * period : (tick + burst) * period])
        one.append(steady.take())
        two.append(bursty.take())
        slips += bursty.slipped
    assert slips == 0
    np.testing.assert_allclose(np.concatenate(one), np.concatenate(two), rtol=0, atol=1)


def test_reference_after_a_restarted_card_slips_once() -> None:
    reference = Reference(48_000)
    slips = 0
    for tick in range(100):
        reference.written(noise(480 * 8 if tick == 10 else 480))
        reference.take()
        slips += reference.slipped
    assert slips == 1
    assert len(reference._line) == (LAG_MS - 10) * 16


def test_reference_line_is_bounded() -> None:
    reference = Reference(48_000)
    for _ in range(100):
        reference.written(noise(480 * 3))
        reference.take()
        assert len(reference._line) <= 16_000


def test_reference_dropped_playback_is_replaced() -> None:
    rate_hz, period = 48_000, 480
    lead = 4 * period
    reference = Reference(rate_hz, 3 * period)
    reference.written(noise(lead))
    for tick in range(20):
        reference.take()
        reference.written(noise(period, tick))
    taken_back = reference.dropped(lead - period)
    assert 0 <= taken_back <= (lead - period) // 3
    reference.written(np.zeros(lead, np.int16))
    for _ in range(20):
        reference.take()
        assert not reference.slipped
        reference.written(np.zeros(period, np.int16))
