"""Mute for a time closes the same device as the switch, which overrides it."""

import asyncio

import pytest

from parleyd.skills import skills_of
from parleyd.skills.mute import BY_COMMAND, BY_HOME, Holder, Mute
from parleyd.skills.registry import SkillRegistry

LONGEST_MIN = 1440  # a day


class Hall:
    """A microphone, a clock and the saved state."""

    def __init__(self, until: float = 0.0, *, switch: bool = False) -> None:
        self.now = 1000.0
        self.closed: list[bool] = []
        self.kept: list[float] = []
        self.mute = Mute(
            until=until, apply=self.closed.append, clock=lambda: self.now, keep=self.kept.append
        )
        self.mute.switch = switch

    def ask(self, minutes: int) -> str:
        book = SkillRegistry(skills_of(self.mute))
        return asyncio.run(book.call("mute_microphone", {"minutes": minutes})).output

    def later(self, seconds: float) -> bool:
        self.now += seconds
        self.mute.look()
        return self.mute.muted


def test_microphone_closes_at_once_and_opens_after_the_time() -> None:
    hall = Hall()
    assert "10 minutes" in hall.ask(10)
    assert hall.closed == [True]
    assert hall.later(599)
    assert hall.closed == [True]
    assert not hall.later(2)
    assert hall.closed == [True, False]
    assert hall.kept == [1600.0, 0.0]


def test_switch_overrides_the_time() -> None:
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


def test_file_without_a_duration_follows_the_wall_clock() -> None:
    assert Hall(until=1300.0).later(299)
    assert not Hall(until=1300.0).later(301)
    assert not Hall(until=900.0).mute.muted
    hall = Hall(until=1000.0 + (LONGEST_MIN + 5) * 60)  # the clock was set back by more than that
    assert hall.later(LONGEST_MIN * 60 - 1)
    assert not hall.later(2)


def test_home_ends_only_its_own_time() -> None:
    hall = Hall()
    hall.mute.close_for(60, BY_HOME, Holder.HOME)
    assert hall.mute.only_home
    hall.mute.close_for(10, BY_COMMAND)
    assert hall.mute.reason == BY_COMMAND
    assert not hall.mute.release(Holder.HOME)
    assert hall.closed == [True] * 3
    assert hall.kept == [4600.0, 4600.0, 1600.0]  # who may open it has changed, then its end
    assert hall.later(599)
    assert not hall.later(1)
    hall.mute.close_for(60, BY_HOME, Holder.HOME)
    assert hall.mute.release(Holder.HOME)
    assert not hall.mute.muted


def test_time_of_home_outlasts_a_persons_and_belongs_to_home_again() -> None:
    hall = Hall()
    hall.mute.close_for(10, BY_COMMAND)
    hall.mute.close_for(60, BY_HOME, Holder.HOME)
    assert hall.later(601)
    assert hall.mute.reason == BY_HOME
    assert hall.kept == [1600.0, 4600.0, 4600.0]
    assert hall.mute.release(Holder.HOME)
    assert not hall.mute.muted


def test_home_does_not_end_a_time_of_before_a_restart_that_a_person_asked_for() -> None:
    hall = Hall(until=1300.0)
    assert not hall.mute.release(Holder.HOME)
    assert hall.mute.muted


@pytest.mark.parametrize("end", ["button", "switch"])
def test_button_and_switch_end_the_time_of_home(end: str) -> None:
    hall = Hall()
    hall.mute.close_for(60, BY_HOME, Holder.HOME)
    if end == "button":
        hall.mute.reopen()
    else:
        hall.mute.switched(True)
        assert not hall.mute.release(Holder.HOME) or hall.mute.muted
        hall.mute.switched(False)
    assert not hall.mute.muted


class Room:
    """A microphone that was closed for ten minutes at noon, and the clocks of a machine."""

    NOON = 1_750_000_000.0

    def __init__(self) -> None:
        self.wall, self.boot_s = self.NOON, 5000.0
        self.closed: list[bool] = []
        self.kept = (0.0, 0.0, 0.0)
        self.mute = self.start(until=0.0)
        asyncio.run(SkillRegistry(skills_of(self.mute)).call("mute_microphone", {"minutes": 10}))

    def start(self, *, until: float, asked_s: float = 0.0, ends: float | None = None) -> Mute:
        def keep(until: float) -> None:
            self.kept = (until, self.mute.asked_s, self.mute.ends or 0.0)

        return Mute(
            until=until,
            asked_s=asked_s,
            ends=ends,
            apply=self.closed.append,
            clock=lambda: self.wall,
            elapsed=lambda: self.boot_s,
            keep=keep,
        )

    def daemon_restarts(self) -> None:
        until, asked_s, ends = self.kept
        self.mute = self.start(until=until, asked_s=asked_s, ends=ends)

    def machine_restarts(self, wall: float) -> None:
        until, asked_s, _ = self.kept
        self.wall, self.boot_s = wall, 8.0
        self.mute = self.start(until=until, asked_s=asked_s)

    def opens_after_s(self) -> int:
        """The seconds until it opens by itself, polled as the daemon does."""
        for seconds in range(100_000):
            self.mute.look()
            if not self.mute.muted:
                return seconds
            self.boot_s += 1
            self.wall += 1
        raise AssertionError("it never opens")


@pytest.mark.parametrize("jump_s", [-1e9, -3600.0, -1.0, 1.0, 601.0, 86_401.0, 1e9])
def test_wall_clock_that_jumps_while_running_opens_nothing(jump_s: float) -> None:
    room = Room()
    room.wall += jump_s
    assert room.opens_after_s() == 600
    assert room.closed == [True, False]


@pytest.mark.parametrize("jump_s", [-1e9, -3600.0, 0.0, 300.0, 601.0, 1e9])
def test_wall_clock_jump_before_a_daemon_restart_opens_nothing(jump_s: float) -> None:
    room = Room()
    room.boot_s += 200
    room.wall += 200 + jump_s
    room.daemon_restarts()
    assert room.opens_after_s() == 400


@pytest.mark.parametrize(
    ("wall", "opens_after_s"),
    [
        (Room.NOON + 200, 400),  # the clock is right
        (Room.NOON - 1000, 600),  # it was set back
        (0.0, 600),  # it was never set
        (Room.NOON + 86_400, 600),  # the power was off for a day, or the clock is ahead
        (4e9, 600),
    ],
)
def test_machine_that_restarts_opens_nothing_early(wall: float, opens_after_s: int) -> None:
    room = Room()
    room.machine_restarts(wall)
    assert room.mute.muted
    assert room.opens_after_s() == opens_after_s


def test_clock_unset_at_the_request_opens_nothing_early() -> None:
    room = Room()
    room.mute.reopen()
    room.wall = 30.0  # 1970: no network yet
    asyncio.run(SkillRegistry(skills_of(room.mute)).call("mute_microphone", {"minutes": 10}))
    room.machine_restarts(Room.NOON)
    assert room.opens_after_s() == 600


@pytest.mark.parametrize("asked_s", [-5.0, 0.0, 1e12])
def test_nonsense_in_the_file_closes_for_a_day_at_most(asked_s: float) -> None:
    room = Room()
    room.mute = room.start(until=1e300, asked_s=asked_s, ends=1e300)
    assert room.opens_after_s() == LONGEST_MIN * 60


def test_reason_is_set_while_closed_by_voice() -> None:
    room = Room()
    assert room.mute.reason == "closed by voice; the push button opens it"
    room.mute.reopen()
    assert room.mute.reason == ""


def test_unknown_state_stays_closed_until_the_button_or_a_day() -> None:
    room = Room()
    room.mute = room.start(until=-1.0)
    assert room.mute.muted
    assert "damaged" in room.mute.reason
    assert "press the push button" in room.mute.reason
    room.mute.reopen()
    assert not room.mute.muted
    assert room.kept[0] == 0.0
    room.mute = room.start(until=-1.0)
    assert room.opens_after_s() == LONGEST_MIN * 60
    assert room.kept[0] == 0.0


def test_longer_than_a_day_is_refused() -> None:
    hall = Hall()
    assert "minutes: expected int <=" in hall.ask(LONGEST_MIN + 1)
    assert hall.closed == []
