"""Timers and alarms are on time whatever the clock does, and survive restarts and power cuts."""

import asyncio
import resource
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.skills import skills_of
from parleyd.skills.alarms import Alarm, Alarms, ClockReading, next_time
from parleyd.skills.registry import SkillRegistry
from parleyd.skills.store import Store
from parleyd.skills.timers import RETRY_S, Timers, spoken

MOST = 16
RECENT_S = 1800

MONDAY = 1_800_000_000.0  # a day in 2027


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone with daylight saving."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(steady: float, set_by: float = 0.0) -> ClockReading:
    """`steady` seconds after the start; `set_by`: how far the wall clock was set since."""
    return ClockReading(MONDAY + steady + set_by, steady)


def names(alarms: Alarms, now: ClockReading) -> list[str]:
    recent, missed = alarms.take_due(now)
    assert missed == []
    return [alarm.name for alarm in recent]


def test_timers_ring_once_at_their_time_by_name() -> None:
    alarms = Alarms(())
    alarms.set_timer(60, "eggs", at(0))
    alarms.set_timer(5, "", at(0))
    assert names(alarms, at(4.9)) == []
    assert names(alarms, at(5.0)) == [""]
    assert names(alarms, at(1000)) == ["eggs"]
    assert names(alarms, at(2000)) == []


@given(st.floats(-1e8, 1e8), st.integers(1, 86_400))
def test_running_timer_ignores_a_set_clock(step: float, seconds: int) -> None:
    alarms = Alarms(())
    alarms.set_timer(seconds, "eggs", at(0))
    assert names(alarms, at(seconds / 2, step)) == []
    (kept,) = alarms.kept  # the saved instant, for a restart, follows the clock
    assert kept.due == pytest.approx(at(seconds, step).wall, abs=3)
    assert names(alarms, at(seconds - 0.01, step)) == []
    assert names(alarms, at(seconds + 0.01, step)) == ["eggs"]


def test_alarm_that_rang_stays_silent_when_the_clock_is_set_back() -> None:
    alarms = Alarms(())
    alarms.set_alarm(at(3600).wall, "up")
    assert names(alarms, at(1800, set_by=-7200)) == []
    assert names(alarms, at(3600, set_by=-7200)) == []
    assert names(alarms, at(3601)) == ["up"]
    assert names(alarms, at(3602, set_by=-7200)) == []
    assert names(alarms, at(3602 + 7200, set_by=-7200)) == []


def test_alarm_long_past_after_a_clock_jump_is_missed() -> None:
    alarms = Alarms(())
    alarms.set_alarm(at(3600).wall, "up")
    recent, missed = alarms.take_due(at(10, set_by=3600 + RECENT_S + 60))
    assert (recent, [alarm.name for alarm in missed]) == ([], ["up"])


@pytest.mark.parametrize(
    ("off_s", "rings", "missed"),
    [(300, ["tea"], []), (500 + RECENT_S, ["eggs"], ["tea"]), (86_400, [], ["tea", "eggs"])],
)
def test_alarm_due_while_off_rings_if_it_is_recent(
    off_s: float, rings: list[str], missed: list[str]
) -> None:
    before = Alarms(())
    before.set_timer(60, "tea", at(0))
    before.set_timer(600, "eggs", at(0))
    start = ClockReading(MONDAY + off_s, 3.0)  # the steady clock starts again
    after = Alarms(before.kept)
    recent, gone = after.take_due(start)
    assert [alarm.name for alarm in recent] == rings
    assert [alarm.name for alarm in gone] == missed


def test_timer_rings_when_the_network_sets_the_clock_late() -> None:
    before = Alarms(())
    before.set_timer(600, "eggs", at(0))
    after = Alarms(before.kept)  # no battery: the clock resumes where it stopped
    assert after.take_due(ClockReading(MONDAY + 60, 60.0)) == ([], [])
    recent, _ = after.take_due(ClockReading(MONDAY + 900, 61.0))  # the network sets the clock
    assert [alarm.name for alarm in recent] == ["eggs"]


def test_ringing_alarm_is_kept_until_it_is_stopped() -> None:
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
        ("2027-03-27 23:00", 7, "2027-03-28 07:00"),  # this night is an hour shorter
        ("2027-10-30 23:00", 7, "2027-10-31 07:00"),  # and this one an hour longer
        ("2027-06-01 06:59", 7, "2027-06-01 07:00"),
        ("2027-06-01 07:00", 7, "2027-06-02 07:00"),
    ],
)
def test_next_time_is_the_next_such_hour_of_the_local_clock(now: str, hour: int, due: str) -> None:
    wall = time.mktime(time.strptime(now, "%Y-%m-%d %H:%M"))
    found = next_time(hour, 0, None, wall)
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(found)) == due


class Kitchen:
    """The skills with a file, and with a clock that the test sets."""

    def __init__(self, path: Path, now: ClockReading) -> None:
        self.now = now
        self.store = Store(path)
        self.timers = Timers(
            self.store.kept.alarms,
            lambda: self.now,
            lambda alarms: self.store.keep(alarms=tuple(alarms)),
        )
        self.book = SkillRegistry(skills_of(self.timers))

    def call(self, name: str, /, **arguments: object) -> str:
        return asyncio.run(self.book.call(name, arguments)).output


def test_confirmed_timers_survive_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "state" / "skills.json"
    kitchen = Kitchen(path, at(0))
    assert kitchen.call("set_timer", seconds=60, name="egg") == "The egg timer rings in 60 seconds."
    assert "rings at 07:30 on" in kitchen.call("set_alarm", time="07:30")
    kitchen = Kitchen(path, ClockReading(MONDAY + 70, 2.0))
    (alarm,) = kitchen.timers.take_due()
    assert spoken(alarm) == "egg timer."
    assert "alarm: in" in kitchen.call("list_timers")
    kitchen.timers.stopped([alarm.id])
    asyncio.run(kitchen.timers.save())
    assert Kitchen(path, ClockReading(MONDAY + 80, 1.0)).timers.take_due() == []


def rung(kitchen: Kitchen, steady: float) -> list[Alarm]:
    """The alarms that ring at this instant, and are stopped."""
    kitchen.now = at(steady)
    ringing = kitchen.timers.take_due()
    kitchen.timers.stopped([alarm.id for alarm in ringing])
    return ringing


def test_snoozed_alarm_rings_again_and_is_still_an_alarm(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    kitchen.call("set_alarm", time=f"{datetime.fromtimestamp(MONDAY + 3600):%H:%M}", name="work")
    assert len(rung(kitchen, 3601)) == 1
    assert kitchen.call("snooze") == "The work alarm rings again in 540 seconds."
    assert kitchen.call("list_timers") == "work alarm: in 540 seconds."
    assert rung(kitchen, 3601 + 539) == []
    (again,) = rung(kitchen, 3601 + 541)
    assert spoken(again) == "work alarm."
    assert "work alarm rings again in 300" in kitchen.call("snooze", minutes=5)
    assert kitchen.call("cancel_timers", kind="alarm") == "The work alarm is cancelled."


def test_second_snooze_replaces_the_first(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    kitchen.call("set_timer", seconds=60, name="egg")
    kitchen.call("set_timer", seconds=60)
    kitchen.call("set_timer", seconds=7200, name="roast")
    assert len(rung(kitchen, 61)) == 2
    assert kitchen.call("snooze") == "The egg timer and the timer ring again in 540 seconds."
    kitchen.call("snooze", minutes=1)
    assert [alarm.name for alarm in rung(kitchen, 122)] == ["egg", ""]
    assert kitchen.call("list_timers") == "roast timer: in 7078 seconds."


def test_snooze_long_after_the_ringing_is_refused(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert "nothing rang" in kitchen.call("snooze")
    kitchen.call("set_timer", seconds=60)
    rung(kitchen, 61)
    kitchen.now = at(61 + 599)
    assert "rings again" in kitchen.call("snooze")
    kitchen.now = at(61 + 601)
    assert "nothing rang" in kitchen.call("snooze")


def test_snooze_survives_a_power_cut_and_a_set_clock(tmp_path: Path) -> None:
    path = tmp_path / "skills.json"
    kitchen = Kitchen(path, at(0))
    kitchen.call("set_alarm", time=f"{datetime.fromtimestamp(MONDAY + 3600):%H:%M}")
    rung(kitchen, 3601)
    kitchen.call("snooze")
    kitchen.now = at(3700, set_by=-86400)
    assert kitchen.call("list_timers") == "alarm: in 441 seconds."
    kitchen = Kitchen(path, ClockReading(MONDAY + 3601 + 541, 5.0))
    assert [alarm.kind for alarm in kitchen.timers.take_due()] == ["alarm"]


def test_all_of_one_kind_leave_the_other(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    for seconds in (60, 120):
        kitchen.call("set_timer", seconds=seconds)
    kitchen.call("set_alarm", time="07:30")
    told = kitchen.call("cancel_timers", every=True, kind="timer")
    assert told == "2 timers are cancelled."
    assert "alarm" in kitchen.call("list_timers")
    kitchen.call("set_timer", seconds=60)
    told = kitchen.call("cancel_timers", every=True)
    assert told == "1 timer and 1 alarm are cancelled."


def test_moving_changes_the_only_alarm(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    none = kitchen.call("set_alarm", time="08:00", move=True)
    assert none == "That did not work: there is no alarm to change."
    kitchen.call("set_timer", seconds=60)
    kitchen.call("set_alarm", time="06:00", name="work")
    assert "The work alarm rings at 08:00" in kitchen.call("set_alarm", time="08:00", move=True)
    assert kitchen.call("list_timers").count("work alarm") == 1
    kitchen.call("set_alarm", time="09:00")
    two = kitchen.call("set_alarm", time="10:00", move=True)
    assert "alarms: work alarm at 08:00 on" in two or ", work alarm at 08:00 on" in two
    assert "10:00" not in kitchen.call("list_timers")
    assert "work alarm rings at 10:00" in kitchen.call(
        "set_alarm", time="10:00", name="work", move=True
    )


def test_one_of_several_is_cancelled_by_hour_day_or_duration(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    for hour in ("06:30", "07:00", "19:00"):
        kitchen.call("set_alarm", time=hour)
    for seconds in (60, 120):
        kitchen.call("set_timer", seconds=seconds)
    two = kitchen.call("cancel_timers", kind="alarm", time="07:00 or 19:00")
    assert "there are 2: alarm at 07:00 on" in two or "there are 2: alarm at 19:00 on" in two
    assert kitchen.call("cancel_timers", time="6:30") == "The alarm is cancelled."
    assert "there is no alarm like that" in kitchen.call("cancel_timers", kind="alarm", time="8:15")
    assert "there is no" in kitchen.call("cancel_timers", kind="alarm", day="2031-01-01")
    assert "there is no" in kitchen.call("cancel_timers", kind="timer", time="07:00")
    assert kitchen.call("cancel_timers", kind="timer", seconds=120) == "The timer is cancelled."
    assert "07:00 on" in kitchen.call("list_timers")
    assert "19:00 on" in kitchen.call("list_timers")
    assert kitchen.call("list_timers").count("timer") == 1


def test_moved_alarm_stays_on_its_day_and_its_half(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    kitchen.call("set_alarm", time="07:00", day="2027-01-16")
    moved = kitchen.call("set_alarm", time="08:00 or 20:00", move=True)
    assert "rings at 08:00 on Saturday, 16 January" in moved
    kitchen.call("set_alarm", time="21:00", day="2027-01-17")
    moved = kitchen.call("set_alarm", time="10:00 or 22:00", old_time="09:00 or 21:00")
    assert "rings at 22:00 on Sunday, 17 January" in moved
    none = kitchen.call("set_alarm", time="10:00", old_time="06:30", move=True)
    assert "there is no alarm at 06:30 to change" in none
    assert kitchen.call("list_timers").count("alarm") == 2


def test_moved_alarm_is_not_taken_for_one_of_a_wrong_clock(tmp_path: Path) -> None:
    """It was the next 08:00; it is not the next 20:00, which is a day earlier."""
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    kitchen.call("set_alarm", time="08:00")
    kitchen.call("set_alarm", time="20:00", move=True)
    kitchen.now = at(2)
    assert kitchen.timers.take_due() == []
    assert "at 20:00 on Saturday, 16 January" in kitchen.call("list_timers")


def test_same_alarm_is_set_once(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    for name in ("", "", "work", "Work"):
        told = kitchen.call("set_alarm", time="07:00", name=name)
        assert "rings at 07:00 on Saturday" in told
    assert kitchen.call("list_timers").count("alarm") == 2


def test_part_of_a_day_leaves_the_other_parts(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    for hour, day in (("07:00", "16"), ("20:00", "16"), ("01:00", "17")):
        kitchen.call("set_alarm", time=hour, day=f"2027-01-{day}")
    told = kitchen.call("cancel_timers", every=True, day="2027-01-16", part="morning")
    assert told == "The alarm is cancelled."
    assert "07:00" not in kitchen.call("list_timers")
    two = kitchen.call("cancel_timers", day="2027-01-16", part="night")
    assert "there are 2: alarm at 20:00 on" in two
    assert "alarm at 01:00 on" in two


def test_one_of_two_timers_with_a_name_is_asked_for(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    for seconds in (300, 600):
        kitchen.call("set_timer", seconds=seconds, name="pasta")
    told = kitchen.call("cancel_timers", name="pasta")
    assert "there are 2: pasta timer of 300 seconds, pasta timer of 600 seconds" in told
    assert kitchen.call("cancel_timers", name="pasta", seconds=300)
    assert kitchen.call("list_timers").count("pasta") == 1


def test_cancelling_the_timer_leaves_the_alarm(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert "there is no alarm; there are: none" in kitchen.call("cancel_timers", kind="alarm")
    kitchen.call("set_timer", seconds=60)
    kitchen.call("set_alarm", time="07:30", name="work")
    assert kitchen.call("cancel_timers", kind="timer") == "The timer is cancelled."
    assert "there is no timer; there are: work alarm" in kitchen.call("cancel_timers", kind="timer")
    assert kitchen.call("cancel_timers") == "The work alarm is cancelled."
    assert kitchen.call("cancel_timers") == "No timer and no alarm is set."


def test_timers_are_bounded_listed_and_cancelled(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert kitchen.call("list_timers") == "No timer and no alarm is set."
    for number in range(MOST):
        kitchen.call("set_timer", seconds=60 + number, name=f"pot {number}")
    assert "cancel some first" in kitchen.call("set_timer", seconds=10)
    assert "pot 3 timer: in 63 seconds" in kitchen.call("list_timers")
    assert "no timer called pan; there are: pot 0 timer," in kitchen.call(
        "cancel_timers", name="pan"
    )
    assert kitchen.call("cancel_timers", name="Pot 3") == "The pot 3 timer is cancelled."
    assert f"there are {MOST - 1}: pot 0 timer of 60 s" in kitchen.call("cancel_timers")
    assert kitchen.call("cancel_timers", every=True) == f"{MOST - 1} timers are cancelled."
    assert Store(tmp_path / "skills.json").kept.alarms == ()


def test_set_alarm_with_a_bad_or_past_hour_is_refused(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path / "skills.json", at(0))
    assert "time: " in kitchen.call("set_alarm", time="25:00")
    assert "is over" in kitchen.call("set_alarm", time="07:00", day="2020-01-01")
    assert "day: " in kitchen.call("set_alarm", time="07:00", day="tomorrow")
    assert "2028" not in kitchen.call("set_alarm", time="7:05", day="2028-02-29")
    assert len(Store(tmp_path / "skills.json").kept.alarms) == 1


def test_broken_file_is_put_aside_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "skills.json"
    path.write_text('{"alarms": [{"id": "x"}]}')
    assert Store(path).kept.alarms == ()
    assert (tmp_path / "skills.broken").exists()
    assert "timers are lost" in caplog.text


def test_failing_disk_is_logged_once_and_the_timer_rings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file" / "skills.json"
    kitchen = Kitchen(path, at(0))
    (tmp_path / "file").write_text("not a folder")
    assert "lost if the power failed" in kitchen.call("set_timer", seconds=50)
    for seconds in range(49):  # the daemon calls this all the time
        kitchen.now = at(seconds)
        assert not asyncio.run(kitchen.timers.save())
    assert len(caplog.records) == 1
    kitchen.now = at(50)
    assert len(kitchen.timers.take_due()) == 1


def test_failed_write_is_repeated_when_the_disk_has_room(tmp_path: Path) -> None:
    path = tmp_path / "file" / "skills.json"
    kitchen = Kitchen(path, at(0))
    (tmp_path / "file").write_text("not a folder")
    kitchen.call("set_timer", seconds=600)
    (tmp_path / "file").unlink()
    kitchen.now = at(RETRY_S + 1)
    assert asyncio.run(kitchen.timers.save())
    assert len(Store(path).kept.alarms) == 1


def test_incomplete_write_leaves_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / "skills.json"
    kitchen = Kitchen(path, at(0))
    kitchen.call("set_timer", seconds=60, name="egg")
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # the disk is full in the draft
    try:
        assert "lost if the power failed" in kitchen.call("set_timer", seconds=90, name="tea")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
