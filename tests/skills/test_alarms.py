"""Timers and alarms: in time whatever the clock does, and over restarts and power cuts."""

import asyncio
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.skills import skills_of
from parleyd.skills.alarms import Alarms, Moment, next_time
from parleyd.skills.registry import SkillBook
from parleyd.skills.store import Store
from parleyd.skills.timers import RETRY_S, Timers, spoken

MOST = 16
RECENT_S = 1800

MONDAY = 1_800_000_000.0  # some day in 2027


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place where the hour changes twice a year."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(steady: float, set_by: float = 0.0) -> Moment:
    """So long after the start; `set_by`: how far the wall clock was set meanwhile."""
    return Moment(MONDAY + steady + set_by, steady)


def names(alarms: Alarms, now: Moment) -> list[str]:
    recent, missed = alarms.take_due(now)
    assert missed == []
    return [alarm.name for alarm in recent]


def test_each_rings_once_in_time_and_by_name() -> None:
    alarms = Alarms(())
    alarms.set_timer(60, "eggs", at(0))
    alarms.set_timer(5, "", at(0))
    assert names(alarms, at(4.9)) == []
    assert names(alarms, at(5.0)) == [""]
    assert names(alarms, at(1000)) == ["eggs"]
    assert names(alarms, at(2000)) == []


@given(st.floats(-1e8, 1e8), st.integers(1, 86_400))
def test_a_running_timer_does_not_care_how_the_clock_is_set(step: float, seconds: int) -> None:
    alarms = Alarms(())
    alarms.set_timer(seconds, "eggs", at(0))
    assert names(alarms, at(seconds / 2, step)) == []
    (kept,) = alarms.kept  # what a restart would go by follows the clock
    assert kept.due == pytest.approx(at(seconds, step).wall, abs=3)
    assert names(alarms, at(seconds - 0.01, step)) == []
    assert names(alarms, at(seconds + 0.01, step)) == ["eggs"]


def test_an_alarm_rings_when_the_clock_shows_its_hour_and_not_again_when_it_is_set_back() -> None:
    alarms = Alarms(())
    alarms.set_alarm(at(3600).wall, "up")
    assert names(alarms, at(1800, set_by=-7200)) == []
    assert names(alarms, at(3600, set_by=-7200)) == []
    assert names(alarms, at(3601)) == ["up"]
    assert names(alarms, at(3602, set_by=-7200)) == []
    assert names(alarms, at(3602 + 7200, set_by=-7200)) == []


def test_a_clock_set_far_forward_is_no_reason_to_ring_what_is_long_over() -> None:
    alarms = Alarms(())
    alarms.set_alarm(at(3600).wall, "up")
    recent, missed = alarms.take_due(at(10, set_by=3600 + RECENT_S + 60))
    assert (recent, [alarm.name for alarm in missed]) == ([], ["up"])


@pytest.mark.parametrize(
    ("off_s", "rings", "missed"),
    [(300, ["tea"], []), (500 + RECENT_S, ["eggs"], ["tea"]), (86_400, [], ["tea", "eggs"])],
)
def test_what_became_due_while_off_rings_if_it_is_recent(
    off_s: float, rings: list[str], missed: list[str]
) -> None:
    before = Alarms(())
    before.set_timer(60, "tea", at(0))
    before.set_timer(600, "eggs", at(0))
    start = Moment(MONDAY + off_s, 3.0)  # the steady clock begins anew
    after = Alarms(before.kept)
    recent, gone = after.take_due(start)
    assert [alarm.name for alarm in recent] == rings
    assert [alarm.name for alarm in gone] == missed


def test_a_clock_that_is_right_only_minutes_after_the_start_still_rings_what_is_due() -> None:
    before = Alarms(())
    before.set_timer(600, "eggs", at(0))
    after = Alarms(before.kept)  # no battery: it goes on where it was
    assert after.take_due(Moment(MONDAY + 60, 60.0)) == ([], [])
    recent, _ = after.take_due(Moment(MONDAY + 900, 61.0))  # the network tells the time
    assert [alarm.name for alarm in recent] == ["eggs"]


def test_what_rings_is_kept_until_it_was_stopped() -> None:
    alarms = Alarms(())
    alarms.set_timer(5, "eggs", at(0))
    recent, _ = alarms.take_due(at(6))
    again = Alarms(alarms.kept)
    assert names(again, at(7)) == ["eggs"]
    alarms.stopped([alarm.id for alarm in recent])
    assert alarms.kept == []


@pytest.mark.parametrize(
    ("now", "hour", "due"),
    [
        ("2027-03-27 23:00", 7, "2027-03-28 07:00"),  # the night that is an hour short
        ("2027-10-30 23:00", 7, "2027-10-31 07:00"),  # and the one that is longer
        ("2027-06-01 06:59", 7, "2027-06-01 07:00"),
        ("2027-06-01 07:00", 7, "2027-06-02 07:00"),
    ],
)
def test_an_hour_is_the_next_one_of_the_local_clock(now: str, hour: int, due: str) -> None:
    wall = time.mktime(time.strptime(now, "%Y-%m-%d %H:%M"))
    found = next_time(hour, 0, None, wall)
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(found)) == due


class Kitchen:
    """The skills with a file and a clock that the test moves."""

    def __init__(self, path: Path, now: Moment) -> None:
        self.now = now
        self.store = Store(path)
        self.timers = Timers(
            self.store.kept.alarms,
            lambda: self.now,
            lambda alarms: self.store.keep(alarms=tuple(alarms)),
        )
        self.book = SkillBook(skills_of(self.timers))

    def call(self, name: str, /, **arguments: object) -> str:
        return asyncio.run(self.book.call(name, arguments)).output


def test_timers_survive_a_power_cut_from_the_moment_they_are_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "state" / "skills.json"
    kitchen = Kitchen(path, at(0))
    assert kitchen.call("set_timer", seconds=60, name="egg") == "The egg timer rings in 60 seconds."
    assert "rings at 07:30 on" in kitchen.call("set_alarm", time="07:30")
    kitchen = Kitchen(path, Moment(MONDAY + 70, 2.0))
    (alarm,) = kitchen.timers.take_due()
    assert spoken(alarm) == "egg timer."
    assert "alarm: in" in kitchen.call("list_timers")
    kitchen.timers.stopped([alarm.id])
    asyncio.run(kitchen.timers.save())
    assert Kitchen(path, Moment(MONDAY + 80, 1.0)).timers.take_due() == []


def test_timers_are_bounded_listed_and_cancelled_by_name_or_together(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert kitchen.call("list_timers") == "No timer and no alarm is set."
    for number in range(MOST):
        kitchen.call("set_timer", seconds=60 + number, name=f"pot {number}")
    assert "cancel some first" in kitchen.call("set_timer", seconds=10)
    assert "pot 3 timer: in 63 seconds" in kitchen.call("list_timers")
    assert "no timer called pan; there are: pot 0 timer," in kitchen.call(
        "cancel_timers", name="pan"
    )
    assert kitchen.call("cancel_timers", name="Pot 3") == "1 timer is cancelled."
    assert kitchen.call("cancel_timers", name=None) == f"{MOST - 1} timers are cancelled."
    assert Store(tmp_path / "skills.json").kept.alarms == ()


def test_an_alarm_needs_an_hour_that_exists_and_is_not_over(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert "time: " in kitchen.call("set_alarm", time="25:00")
    assert "is over" in kitchen.call("set_alarm", time="07:00", day="2020-01-01")
    assert "day: " in kitchen.call("set_alarm", time="07:00", day="tomorrow")
    assert "2028" not in kitchen.call("set_alarm", time="7:05", day="2028-02-29")
    assert len(Store(tmp_path / "skills.json").kept.alarms) == 1


def test_a_broken_file_is_put_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "skills.json"
    path.write_text('{"alarms": [{"id": "x"}]}')
    assert Store(path).kept.alarms == ()
    assert (tmp_path / "skills.broken").exists()
    assert "timers are lost" in caplog.text


def test_a_disk_that_takes_nothing_is_told_once_and_the_timer_rings_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file" / "skills.json"
    kitchen = Kitchen(path, at(0))
    (tmp_path / "file").write_text("not a folder")
    assert "lost if the power failed" in kitchen.call("set_timer", seconds=50)
    for seconds in range(49):  # the daemon looks all the time
        kitchen.now = at(seconds)
        assert not asyncio.run(kitchen.timers.save())
    assert len(caplog.records) == 1
    kitchen.now = at(50)
    assert len(kitchen.timers.take_due()) == 1


def test_what_a_full_disk_did_not_take_is_written_when_it_has_room_again(tmp_path: Path) -> None:
    path = tmp_path / "file" / "skills.json"
    kitchen = Kitchen(path, at(0))
    (tmp_path / "file").write_text("not a folder")
    kitchen.call("set_timer", seconds=600)
    (tmp_path / "file").unlink()
    kitchen.now = at(RETRY_S + 1)
    assert asyncio.run(kitchen.timers.save())
    assert len(Store(path).kept.alarms) == 1


def test_a_file_that_could_not_be_written_whole_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "skills.json"
    kitchen = Kitchen(path, at(0))
    kitchen.call("set_timer", seconds=60, name="egg")
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # the disk ends within the draft
    try:
        assert "lost if the power failed" in kitchen.call("set_timer", seconds=90, name="tea")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
