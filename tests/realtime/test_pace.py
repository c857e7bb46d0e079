"""A server gets its share of the processor, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from parleyd.realtime.pace import Pace


def test_pace_of_four_ms_of_work_needs_no_wait() -> None:
    pace = Pace(0.0)
    assert [pace.wait_s(0.001, 0.0) for _ in range(4)] == [0.0] * 4


def test_pace_beyond_the_burst_is_fifteen_percent() -> None:
    pace, now, used = Pace(0.0), 0.0, 0.0
    while now < 10.0:
        used += 0.0005
        now += 0.0005 + pace.wait_s(0.0005, now + 0.0005)
    assert 1.45 < used < 1.55


def test_pace_of_one_long_piece_waits_afterwards() -> None:
    pace = Pace(0.0)
    wait_s = pace.wait_s(0.034, 0.034)
    assert 0.19 < wait_s < 0.21
    assert pace.wait_s(0.0, 0.034 + wait_s) == 0.0


@given(st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 1)), max_size=50))
def test_pace_never_lets_more_through(pieces: list[tuple[float, float]]) -> None:
    pace, now, used = Pace(0.0), 0.0, 0.0
    for work_s, pause_s in pieces:
        used += work_s
        now += work_s
        now += max(pause_s, pace.wait_s(work_s, now))
        assert used <= 0.004 + 0.002 * 0.15 + 0.15 * now + 1e-9


def test_pace_rests_for_two_ms_at_least() -> None:
    """0.3 ms beyond the burst need 2 ms of rest at 15 percent; less is not worth a timer."""
    assert Pace(0.0).wait_s(0.0043 + 1e-9, 0.0) > 0.0019
    assert Pace(0.0).wait_s(0.00429, 0.0) == 0.0
