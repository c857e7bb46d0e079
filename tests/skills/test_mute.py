"""Mute for a time: the same closed device as by the switch, which stands above it."""

import asyncio

from parleyd.skills import skills_of
from parleyd.skills.book import SkillBook
from parleyd.skills.mute import LONGEST_MIN, Mute


class Hall:
    """A microphone, a clock and what would be kept."""

    def __init__(self, until: float = 0.0, *, switch: bool = False) -> None:
        self.now = 1000.0
        self.closed: list[bool] = []
        self.kept: list[float] = []
        self.mute = Mute(
            until=until, apply=self.closed.append, clock=lambda: self.now, keep=self.kept.append
        )
        self.mute.switch = switch

    def ask(self, minutes: int) -> str:
        book = SkillBook(skills_of(self.mute))
        return asyncio.run(book.call("mute_microphone", {"minutes": minutes})).output

    def later(self, seconds: float) -> bool:
        self.now += seconds
        self.mute.look()
        return self.mute.muted


def test_it_is_closed_at_once_and_opened_when_the_time_is_over() -> None:
    hall = Hall()
    assert "10 minutes" in hall.ask(10)
    assert hall.closed == [True]
    assert hall.later(599)
    assert hall.closed == [True]
    assert not hall.later(2)
    assert hall.closed == [True, False]
    assert hall.kept == [1600.0, 0.0]


def test_the_switch_stands_above_the_time() -> None:
    hall = Hall()
    hall.ask(10)
    hall.mute.switched(True)
    assert hall.later(3600)
    hall.mute.reopen()
    assert hall.mute.muted
    assert set(hall.closed) == {True}
    hall.mute.switched(False)
    assert hall.closed[-1] is False


def test_moving_the_switch_or_pressing_the_button_ends_the_time() -> None:
    hall = Hall()
    hall.ask(10)
    hall.mute.reopen()
    assert hall.closed == [True, False]
    hall.ask(10)
    hall.mute.switched(True)
    hall.mute.switched(False)
    assert not hall.mute.muted


def test_it_stays_closed_over_a_restart_and_a_clock_set_back_does_not_make_it_for_ever() -> None:
    assert Hall(until=1300.0).mute.muted
    assert not Hall(until=900.0).mute.muted
    assert not Hall(until=1000.0 + (LONGEST_MIN + 5) * 60).mute.muted
    hall = Hall(until=1300.0)
    hall.now = -1e6
    hall.mute.look()
    assert hall.closed == [False]


def test_no_longer_than_a_day() -> None:
    hall = Hall()
    assert "minutes: expected int <=" in hall.ask(LONGEST_MIN + 1)
    assert hall.closed == []
