"""Quiet hours: each change is reported once, also at a start."""

from datetime import time

from parleyd.app.quiet_hours import QuietHours


def reported(span: str, *clock: time) -> list[bool]:
    posted: list[bool] = []
    hours = QuietHours(span, posted.append)
    for local in clock:
        hours.look(local)
    return posted


def test_begin_and_end_are_reported_once() -> None:
    clock = [time(21, 59), time(22, 0), time(22, 1), time(3), time(6, 59), time(7), time(8)]
    assert reported("22:00-07:00", *clock) == [True, False]


def test_start_in_quiet_hours_is_reported() -> None:
    assert reported("22:00-07:00", time(23)) == [True]


def test_clock_that_is_set_counts_at_the_next_look() -> None:
    assert reported("22:00-07:00", time(23), time(12), time(23)) == [
        True,
        False,
        True,
    ]
