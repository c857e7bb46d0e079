"""Each state's light differs from every other, on an RGB LED and on a single LED."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.core.states import Indication
from parleyd.lights.patterns import LED_PATTERNS, animated, brightness, colour

WINDOW_S = 4.0
TIMES = np.arange(0, WINDOW_S, 0.005)
STATES = list(Indication)
PAIRS = list(itertools.combinations(STATES, 2))


class Rhythm(NamedTuple):
    """The visible rhythm of one blinking LED at any brightness."""

    rises: int
    """The number of changes from dim to bright in 4 s."""

    bright: float
    """The bright share of the time."""


def rhythm(shown: Indication) -> Rhythm:
    levels = np.array([brightness(shown, t, 0.0) for t in TIMES])
    on = levels > max(levels.max(), 1e-9) / 2
    return Rhythm(int(np.count_nonzero(np.diff(on.astype(int), prepend=0) > 0)), float(on.mean()))


def test_looks_contain_every_state() -> None:
    assert set(LED_PATTERNS) == set(Indication)


@given(
    st.sampled_from(STATES), st.floats(0, 1e7), st.floats(-1, 1e5)
)  # a monotonic clock after months, and a state that begins just after `now`
def test_colour_is_in_bounds_and_brightness_is_its_maximum(
    shown: Indication, since: float, after: float
) -> None:
    level = brightness(shown, since + after, since)
    light = colour(shown, since + after, since)
    assert all(0.0 <= part <= 1.0 for part in (*light, level))
    assert max(light) == pytest.approx(level)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_pattern_of_two_states_differs_on_a_single_led(one: Indication, other: Indication) -> None:
    a, b = rhythm(one), rhythm(other)
    slow, fast = sorted((a.rises, b.rises))
    other_rate = fast >= 1.5 * slow and fast - slow >= 2
    other_share = abs(a.bright - b.bright) >= 0.2
    assert other_rate or other_share, f"{one} {a}, {other} {b}"


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_pattern_of_two_states_differs_in_colour(one: Indication, other: Indication) -> None:
    a, b = (np.array([colour(shown, t, 0.0) for t in TIMES]) for shown in (one, other))
    apart = np.abs(a - b).max(axis=1)
    assert np.mean(apart > 0.25) > 0.05  # a clearly different colour for at least 0.2 of 4 s


@pytest.mark.parametrize("shown", STATES)
def test_pattern_changes_only_if_animated(shown: Indication) -> None:
    assert (len({brightness(shown, t, 0.0) for t in TIMES}) > 1) == animated(shown)


@pytest.mark.parametrize("shown", [s for s in STATES if s is not Indication.IDLE])
def test_pattern_of_a_new_state_is_bright_at_once(shown: Indication) -> None:
    assert brightness(shown, 5.0, 5.0) >= 0.4


@pytest.mark.parametrize("shown", [s for s in STATES if s is not Indication.BARGE_IN])
def test_pattern_flashes_at_most_three_times_a_second(shown: Indication) -> None:
    assert rhythm(shown).rises <= 3 * WINDOW_S


def test_pattern_of_muted_is_steady_red_and_of_idle_dark() -> None:
    muted = {colour(Indication.MUTED, t, 0.0) for t in TIMES}
    assert len(muted) == 1
    red, green, blue = muted.pop()
    assert red > 0 == green == blue
    assert set(colour(Indication.IDLE, 1.0, 0.0)) == {0.0}
