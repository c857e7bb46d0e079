"""The pause before the next attempt is a pure function."""

from hypothesis import given
from hypothesis import strategies as st

from parleyd.realtime.backoff import delay_s
from parleyd.realtime.server_errors import ErrorAction

BUSY_STEPS_S = (8.0, 15.0, 30.0, 60.0)
JITTER = 0.25
STEPS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

RETRIED = [action for action in ErrorAction if action is not ErrorAction.FATAL]


def test_pauses_grow_to_half_a_minute_and_stay_there() -> None:
    pauses = [delay_s(ErrorAction.RECONNECT, attempt, 0.5) for attempt in range(10)]
    assert pauses == [*STEPS_S, 30.0, 30.0, 30.0]


def test_busy_server_gets_longer_pauses() -> None:
    pauses = [delay_s(ErrorAction.BACK_OFF, attempt, 0.5) for attempt in range(5)]
    assert pauses == [*BUSY_STEPS_S, BUSY_STEPS_S[-1]]


def test_delay_of_a_refusal_for_now_is_minutes() -> None:
    pauses = [delay_s(ErrorAction.LATER, attempt, 0.5) for attempt in range(6)]
    assert pauses == [60.0, 120.0, 300.0, 600.0, 600.0, 600.0]


def test_fatal_refusal_has_no_retry() -> None:
    assert delay_s(ErrorAction.FATAL, 0, 0.5) is None


@given(st.sampled_from(RETRIED), st.integers(0, 10**9), st.floats(0, 1))
def test_jitter_spreads_but_never_hurries(action: ErrorAction, attempt: int, chance: float) -> None:
    middle, pause = delay_s(action, attempt, 0.5), delay_s(action, attempt, chance)
    assert middle is not None
    assert pause is not None
    assert abs(pause - middle) <= JITTER * middle * 1.0001
    assert pause > 0.3


def test_delay_varies_by_a_quarter_of_the_step() -> None:
    pauses = [delay_s(ErrorAction.RECONNECT, 3, chance) for chance in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert pauses == [3.0, 3.5, 4.0, 4.5, 5.0]
    assert [delay_s(ErrorAction.BACK_OFF, 0, chance) for chance in (0.0, 1.0)] == [6.0, 10.0]
