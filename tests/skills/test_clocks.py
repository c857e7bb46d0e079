"""Alarms and timers on a device without a battery-backed clock.

At boot a Pi shows the time of its last shutdown, or 1970; minutes later the network sets it.
Its time zone may be set after the first alarm, and its clock may be wrong by years for a while.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parleyd.skills.alarms import Alarm, Alarms, ClockReading, cleaned
from parleyd.skills.hours import next_time
from parleyd.skills.store import Kept, parse

LONGEST_DAYS = 731

MOST = 16

RECENT_S = 1800

FRIDAY = 1_800_000_000.0  # 2027-01-15 08:00 UTC
HOUR, DAY = 3600.0, 86_400.0
LOOK_S = 1200.0
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Apia",
         "Asia/Kathmandu", "America/Sao_Paulo")  # fmt: skip


def zone(name: str) -> None:
    os.environ["TZ"] = name
    time.tzset()


@pytest.fixture(autouse=True)
def _zone_is_put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@dataclass
class Device:
    """The true time, the device's wrong clock, and the events of its alarms."""

    true: float = FRIDAY
    error_s: float = 0.0
    """The error of its clock."""
    booted: float = FRIDAY - 100.0
    boot: int = 1
    alarms: Alarms = field(default_factory=lambda: Alarms(()))
    rang: list[tuple[str, float]] = field(default_factory=list)
    """Name and true time."""
    shown: list[tuple[str, float]] = field(default_factory=list)
    """Name and the time that its clock showed."""
    missed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    @property
    def now(self) -> ClockReading:
        return ClockReading(self.true + self.error_s, self.true - self.booted, f"boot {self.boot}")

    def look(self) -> None:
        recent, missed = self.alarms.take_due(self.now)
        self.rang += [(alarm.name, self.true) for alarm in recent]
        self.shown += [(alarm.name, self.now.wall) for alarm in recent]
        self.missed += [alarm.name for alarm in missed]
        self.moved += [alarm.name for alarm in self.alarms.take_moved()]
        self.alarms.stopped([alarm.id for alarm in recent])

    def run(self, seconds: float) -> None:
        end = self.true + seconds
        while self.true < end:
            self.true = min(end, self.true + LOOK_S)
            self.look()

    def set_clock(self, error_s: float) -> None:
        self.error_s = error_s
        self.look()

    def restart(self) -> None:
        """Restart the daemon, and load the alarms from the file."""
        content = msgspec.json.encode(Kept(alarms=tuple(self.alarms.kept)))
        kept, _, problems = parse(content)
        assert problems == []
        self.alarms = Alarms(kept.alarms)
        self.look()

    def reboot(self, off_s: float, clock: str) -> None:
        at_shutdown = self.true + self.error_s
        self.true += off_s
        self.booted, self.boot = self.true - 20.0, self.boot + 1
        starts = {"right": self.true, "stale": at_shutdown, "1970": 20.0}
        self.error_s = starts[clock] - self.true
        self.restart()

    def alarm(self, clock: str, name: str = "up", day: date | None = None) -> None:
        hour, minute = map(int, clock.split(":"))
        due = next_time(hour, minute, day, self.now.wall)
        self.alarms.set_alarm(due, name, self.now, any_day=day is None)

    def timer(self, seconds: float, name: str = "tea") -> None:
        self.alarms.set_timer(seconds, name, self.now)


def local(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- a clock that was wrong once ------------------------------------------------------


@pytest.mark.parametrize("error_s", [2 * HOUR, 3 * DAY, 3650 * DAY, -2 * HOUR, -3 * DAY, -FRIDAY])
@pytest.mark.parametrize("day", [None, date(2027, 1, 16)])
@pytest.mark.parametrize("through", ["nothing", "restart", "reboot"])
def test_alarm_survives_a_clock_that_was_wrong_once(
    error_s: float, day: date | None, through: str
) -> None:
    device = Device()
    device.alarm("07:00", day=day)
    device.set_clock(error_s)
    device.run(HOUR)
    if through == "restart":
        device.restart()
    if through == "reboot":
        device.reboot(60.0, "stale")
    device.run(HOUR)
    device.set_clock(0.0)
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-16T07:00"), abs=LOOK_S)


@pytest.mark.parametrize("error_s", [2 * HOUR, 3 * HOUR, DAY, -2 * HOUR, -DAY])
@pytest.mark.parametrize("through", ["nothing", "restart", "reboot"])
def test_alarm_of_the_next_hour_is_not_delayed_by_a_day(error_s: float, through: str) -> None:
    device = Device()
    device.alarm("10:00")  # it is 9:00 in Berlin
    device.set_clock(error_s)
    device.true += 60
    device.look()
    if through == "restart":
        device.restart()
    if through == "reboot":
        device.reboot(60.0, "stale")
    device.set_clock(0.0)
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-15T10:00"), abs=LOOK_S)


@pytest.mark.parametrize("through", ["nothing", "restart", "reboot"])
def test_alarm_from_a_file_is_not_dropped_by_a_wrong_clock(through: str) -> None:
    """A file of an earlier version does not say when it was set."""
    device = Device()
    device.alarms.set_alarm(local("2027-01-16T07:00"), "up")
    device.set_clock(400 * DAY)
    assert device.missed == ["up"]
    assert device.alarms.waiting == []
    if through == "restart":
        device.restart()
    if through == "reboot":
        device.reboot(60.0, "stale")
    device.run(HOUR)
    device.set_clock(0.0)
    assert [alarm.name for alarm in device.alarms.waiting] == ["up"]
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-16T07:00"), abs=LOOK_S)
    assert device.missed == ["up"]


def test_stopped_alarm_stays_silent_when_the_clock_goes_back() -> None:
    device = Device()
    device.alarm("09:30")
    device.timer(1800)
    device.run(2 * HOUR)
    assert sorted(name for name, _ in device.rang) == ["tea", "up"]
    for error_s in (-3 * HOUR, -FRIDAY, 0.0, -DAY):
        device.set_clock(error_s)
        device.run(HOUR)
        device.restart()
        device.reboot(10.0, "stale")
    device.run(3 * DAY)
    assert len(device.rang) == 2


def test_alarm_that_rang_unstopped_is_missed_when_it_is_old() -> None:
    device = Device()
    device.alarm("09:30")
    device.true = local("2027-01-15T09:30")
    recent, _ = device.alarms.take_due(device.now)
    assert [alarm.rang for alarm in recent] == [True]
    device.reboot(RECENT_S + 60, "right")  # the power failed while it rang
    assert device.missed == ["up"]
    device.set_clock(-2 * HOUR)
    device.run(DAY)
    assert device.rang == []


# --- at boot --------------------------------------------------------------------------


@pytest.mark.parametrize("clock", ["stale", "1970"])
def test_alarm_set_before_the_clock_is_set_rings_at_its_hour(clock: str) -> None:
    device = Device()
    device.reboot(8 * HOUR, clock)
    device.alarm("07:00")
    device.run(180.0)
    device.set_clock(0.0)  # 2027-01-15 17:03 in Berlin
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-16T07:00"), abs=LOOK_S)


@pytest.mark.parametrize("error_s", [-FRIDAY, -8 * HOUR, 8 * HOUR, 3650 * DAY])
@pytest.mark.parametrize("through", ["nothing", "restart"])
def test_timer_set_before_the_clock_jumped_runs_its_duration(error_s: float, through: str) -> None:
    device = Device()
    device.set_clock(error_s)
    device.timer(HOUR)
    device.run(LOOK_S)
    if through == "restart":
        device.restart()  # also a reload
    device.set_clock(0.0)
    if through == "restart":
        device.restart()
    device.run(DAY)
    ((_, rang),) = device.rang
    assert rang - FRIDAY == pytest.approx(HOUR, abs=LOOK_S)
    assert device.missed == []


@pytest.mark.parametrize("clock", ["stale", "1970", "right"])
def test_timer_of_an_earlier_boot_at_most_repeats_its_duration(clock: str) -> None:
    device = Device()
    device.timer(2 * HOUR)
    device.run(LOOK_S)
    device.reboot(HOUR / 2, clock)
    booted = device.true
    device.run(DAY)
    ((_, rang),) = device.rang
    expected = {"right": FRIDAY + 2 * HOUR, "1970": booted + 2 * HOUR}
    expected["stale"] = FRIDAY + 2.5 * HOUR
    assert rang == pytest.approx(expected[clock], abs=LOOK_S)


def test_timer_set_in_1970_rings_after_a_reboot() -> None:
    """The time that the device was off is unknown then."""
    device = Device()
    device.set_clock(-FRIDAY + 60)
    device.timer(2 * HOUR)
    device.reboot(60.0, "right")
    device.run(DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(FRIDAY + 2 * HOUR, abs=LOOK_S + 60)


def test_alarm_set_in_1970_rings_next_once_the_clock_is_right() -> None:
    device = Device()
    device.set_clock(-FRIDAY + 60)
    device.alarm("07:00")
    device.reboot(DAY, "right")
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-17T07:00"), abs=LOOK_S)


def test_alarm_due_while_the_device_is_off_is_reported_once() -> None:
    device = Device()
    device.alarm("07:00")
    device.reboot(3 * DAY, "stale")
    device.run(300.0)
    device.set_clock(0.0)
    for _ in range(3):
        device.reboot(60.0, "1970")
        device.set_clock(0.0)
        device.run(HOUR)
    assert device.missed == ["up"]
    assert device.rang == []


# --- time zones and daylight saving ---------------------------------------------------


@pytest.mark.parametrize("after", ZONES)
@pytest.mark.parametrize("through", ["nothing", "restart"])
def test_alarm_rings_at_its_hour_in_a_time_zone_set_later(after: str, through: str) -> None:
    zone("UTC")
    device = Device()
    device.alarm("07:00", day=date(2027, 1, 17))
    zone(after)
    if through == "restart":
        device.restart()
    device.run(4 * DAY)
    ((_, rang),) = device.rang
    assert rang == pytest.approx(local("2027-01-17T07:00"), abs=LOOK_S)


@pytest.mark.parametrize("through", ["nothing", "restart", "reboot"])
@pytest.mark.parametrize(
    ("after", "set_at", "clock", "due"),
    [
        # set there at midnight of the same day, where 07:00 is still ahead
        ("America/Los_Angeles", "2027-01-15T08:00", "07:00", "2027-01-15T07:00"),
        # set there at half past seven, where 07:00 was past
        ("Europe/Berlin", "2027-01-15T06:30", "07:00", "2027-01-16T07:00"),
        ("Asia/Kathmandu", "2027-01-15T05:00", "10:30", "2027-01-16T10:30"),
        ("Europe/Berlin", "2027-01-15T20:00", "07:00", "2027-01-16T07:00"),
        ("Pacific/Apia", "2027-01-15T12:00", "06:00", "2027-01-16T06:00"),
        ("UTC", "2027-01-15T08:00", "07:00", "2027-01-16T07:00"),
    ],
)
def test_alarm_without_a_day_is_next_in_a_zone_set_later(
    after: str, set_at: str, clock: str, due: str, through: str
) -> None:
    zone("UTC")
    device = Device(true=local(set_at), booted=local(set_at) - 100)
    device.alarm(clock)
    device.look()
    zone(after)
    if through == "restart":
        device.restart()
    elif through == "reboot":
        device.reboot(30.0, "right")
    device.run(4 * DAY)
    ((_, rang),) = device.rang
    assert 0 <= rang - local(due) <= LOOK_S
    assert device.missed == []


@pytest.mark.parametrize("set_steady", [1e308, -1e308, 1e9])
def test_timer_with_a_wrong_steady_time_in_the_file_rings(set_steady: float) -> None:
    device = Device()
    device.timer(HOUR)
    (alarm,) = device.alarms.kept
    device.alarms = Alarms([msgspec.structs.replace(alarm, set_steady=set_steady)])
    device.run(2 * HOUR)
    ((_, rang),) = device.rang
    assert 0 <= rang - FRIDAY - HOUR <= LOOK_S


@pytest.mark.parametrize(
    ("name", "now", "clock", "day", "due"),
    [
        # the skipped hour: by the offset before the gap (RFC 5545)
        ("Europe/Berlin", "2027-03-27T23:00", "02:30", None, "2027-03-28T03:30"),
        ("Europe/Berlin", "2027-03-27T23:00", "02:00", date(2027, 3, 28), "2027-03-28T03:00"),
        ("Australia/Lord_Howe", "2027-10-02T23:00", "02:15", None, "2027-10-03T02:45"),
        # the doubled hour: the first of the two
        ("Europe/Berlin", "2027-10-30T23:00", "02:30", None, "2027-10-31T02:30"),
        # and the second, if the first is past
        ("Europe/Berlin", "2027-10-31T02:40", "02:30", None, "2027-10-31T02:30+"),
        ("Europe/Berlin", "2027-10-31T02:40", "02:30", date(2027, 10, 31), "2027-10-31T02:30+"),
        ("Europe/Berlin", "2027-10-31T02:40+", "02:30", None, "2027-11-01T02:30"),
        # after the gap, the skipped hour is tomorrow's
        ("Europe/Berlin", "2027-03-28T03:10", "02:30", None, "2027-03-29T02:30"),
        ("Europe/Berlin", "2028-02-28T12:00", "07:00", None, "2028-02-29T07:00"),
        ("Europe/Berlin", "2027-12-31T23:59", "23:58", None, "2028-01-01T23:58"),
    ],
)
def test_hour_exists_once_never_or_twice(
    name: str, now: str, clock: str, day: date | None, due: str
) -> None:
    def instant(text: str) -> float:
        return datetime.fromisoformat(text.rstrip("+")).replace(fold="+" in text).timestamp()

    zone(name)
    hour, minute = map(int, clock.split(":"))
    assert next_time(hour, minute, day, instant(now)) == instant(due)


def test_second_of_two_equal_hours_is_kept_as_the_second() -> None:
    device = Device(true=local("2027-10-31T02:40"))
    device.alarm("02:30")
    device.restart()
    device.run(3 * HOUR)
    ((_, rang),) = device.rang
    again = datetime(2027, 10, 31, 2, 30, fold=1).timestamp()
    assert rang == pytest.approx(again, abs=LOOK_S)


@given(
    st.sampled_from(ZONES),
    st.floats(FRIDAY, FRIDAY + 800 * DAY),
    st.integers(0, 23),
    st.integers(0, 59),
)
def test_next_hour_is_within_a_day_and_shows_the_hour(
    name: str, wall: float, hour: int, minute: int
) -> None:
    zone(name)
    due = next_time(hour, minute, None, wall)
    assert 0 < due - wall <= 25 * HOUR
    shown = datetime.fromtimestamp(due)
    wanted = shown.replace(hour=hour, minute=minute, second=0, microsecond=0)
    exists = datetime.fromtimestamp(wanted.timestamp()) == wanted
    assert shown.replace(fold=0) == wanted or (not exists and shown > wanted)


# --- nonsense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(9999, 12, 31), "too far ahead: at most 731 days"),
        (date(2029, 1, 16), "too far ahead"),
        (date(3000, 1, 1), "too far ahead"),
        (date(1, 1, 1), "is over"),
        (date(1969, 12, 31), "is over"),
        (date(2027, 1, 14), "is over, it is 09:00 on Friday, 15 January 2027"),
    ],
)
def test_day_out_of_range_is_refused_in_words(day: date, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        next_time(7, 0, day, FRIDAY)


def test_day_within_range_is_accepted() -> None:
    furthest = date(2027, 1, 15) + timedelta(days=LONGEST_DAYS)
    assert next_time(7, 0, furthest, FRIDAY) == local(f"{furthest}T07:00")
    assert next_time(7, 0, date(2028, 2, 29), FRIDAY) == local("2028-02-29T07:00")


@pytest.mark.parametrize("wall", [-1e9, -1.0, 0.0, 4e9, 3e10, 1e15, float("inf")])
def test_any_clock_accepts_alarms_and_timers(wall: float) -> None:
    alarms = Alarms(())
    now = ClockReading(wall, 5.0, "b")
    alarms.set_timer(60, "tea", now)
    alarms.set_alarm(next_time(7, 0, None, wall), "up", now, any_day=True)
    assert alarms.take_due(now)[0] in ([], [alarms.kept[0]])
    content = msgspec.json.encode(Kept(alarms=tuple(alarms.kept)))
    assert parse(content)[2] == []
    later = ClockReading(wall, 66.0, "b")
    rang = [alarm.name for alarm in alarms.take_due(later)[0]]
    assert "tea" in rang


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("egg", "egg"),
        (" soft \t egg\n", "soft egg"),
        ("egg\x00\x1b[31m\r\nERROR fake", "egg [31m ERROR fake"),
        ("x" * 10_000, "x" * 60),
        ("M\udcfcsli", "Msli"),
        ("\u202eegg\u200b", "egg"),
        ("\ud800\x07", ""),
        ("Käse-Spätzle", "Käse-Spätzle"),
        ("🍳 eggs", "🍳 eggs"),
    ],
)
def test_name_is_one_short_line(name: str, kept: str) -> None:
    assert cleaned(name) == kept
    alarms = Alarms(())
    alarms.set_timer(5, name, ClockReading(FRIDAY, 0.0))
    assert parse(msgspec.json.encode(Kept(alarms=tuple(alarms.kept))))[0].alarms[0].name == kept


def test_name_of_only_control_characters_cancels_nothing() -> None:
    alarms = Alarms(())
    alarms.set_timer(5, "", ClockReading(FRIDAY, 0.0))
    assert alarms.cancel("\x00") == []
    assert len(alarms.cancel("")) == 1


def test_missed_alarms_take_no_slot_and_are_bounded() -> None:
    device = Device()
    for number in range(3 * MOST):
        device.alarms.set_alarm(FRIDAY + 60 + number, f"a{number}")
        device.set_clock(DAY)
        device.set_clock(0.0)
        if number % MOST == MOST - 1:
            device.set_clock(DAY)
            device.true += 1000
            assert device.alarms.waiting == []
    assert len(device.alarms.kept) <= 2 * MOST


def test_ids_of_a_file_are_made_unique() -> None:
    kept = [Alarm(id=n, name=str(n), due=FRIDAY, timer=True) for n in (3, 3, -1, 0, 2**60)]
    alarms = Alarms(kept)
    assert len({alarm.id for alarm in alarms.kept}) == 5
    recent, _ = alarms.take_due(ClockReading(FRIDAY, 5.0))
    assert len(recent) == 5


# --- random walks ---------------------------------------------------------------------

JUMPS = st.sampled_from(
    [0.0, 5.0, -5.0, 600.0, HOUR, -HOUR, 8 * HOUR, -8 * HOUR, 3 * DAY, -3 * DAY, 4000 * DAY,
     -FRIDAY]
)  # fmt: skip
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.floats(60.0, 2 * DAY)),
        st.tuples(st.just("set_clock"), JUMPS),
        st.tuples(st.just("restart")),
        st.tuples(
            st.just("reboot"), st.floats(10.0, 2 * DAY), st.sampled_from(["right", "stale", "1970"])
        ),
        st.tuples(st.just("zone"), st.sampled_from(ZONES)),
    ),
    max_size=12,
)
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


def walk(device: Device, events: list[tuple[object, ...]]) -> None:
    for name, *arguments in events:
        if name == "zone":
            zone(*arguments)  # type: ignore[arg-type]
            device.look()
        else:
            getattr(device, str(name))(*arguments)


def slow(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip


@pytest.mark.slow
@slow(200)
@given(EVENTS, CLOCKS, st.booleans(), EVENTS, st.floats(60.0, DAY))
def test_any_history_rings_each_once_or_reports_it(
    before: list[tuple[object, ...]],
    clock: str,
    day_named: bool,
    after: list[tuple[object, ...]],
    seconds: float,
) -> None:
    """It rings when the device's clock shows its hour; at the end the clock is right."""
    device = Device()
    walk(device, before)
    day = (datetime.fromtimestamp(device.now.wall) + timedelta(days=2)).date()
    device.alarm(clock, "up", day if day_named else None)
    device.timer(seconds, "tea")
    walk(device, after)
    device.set_clock(0.0)
    device.run(5 * DAY)
    rang = [name for name, _ in device.rang]
    assert rang.count("up") <= 1
    assert rang.count("tea") <= 1
    waits = [alarm.name for alarm in device.alarms.waiting]
    assert "up" in rang or "up" in device.missed or "up" in waits  # it may be years ahead
    assert "tea" in rang or "tea" in device.missed
    if not day_named:
        assert "up" not in waits


@slow(200)
@given(EVENTS, CLOCKS, st.sampled_from(ZONES), EVENTS)
def test_alarm_rings_at_its_hour_once_the_clock_is_right(
    before: list[tuple[object, ...]], clock: str, after: str, events: list[tuple[object, ...]]
) -> None:
    """After any history until an hour before it, unless it rang during that history."""
    device = Device()
    walk(device, before)
    device.set_clock(0.0)
    day = (datetime.fromtimestamp(device.true) + timedelta(days=40)).date()
    device.alarm(clock, "up", day)
    walk(device, events)
    device.set_clock(0.0)
    zone(after)
    hour, minute = map(int, clock.split(":"))
    due = datetime(day.year, day.month, day.day, hour, minute).timestamp()
    if device.rang or device.true > due - HOUR:
        return
    device.true = due - HOUR
    device.run(3 * HOUR)
    ((_, rang),) = device.rang
    assert 0 <= rang - due <= LOOK_S


@slow(300)
@given(CLOCKS, EVENTS, st.floats(0, DAY))
def test_alarm_without_a_day_rings_next_after_any_clock_history(
    clock: str, events: list[tuple[object, ...]], rest_s: float
) -> None:
    """Set by a right clock without a day; wrong clocks and reboots until shortly before it."""
    device = Device()
    hour, minute = map(int, clock.split(":"))
    due = next_time(hour, minute, None, device.true)
    device.alarm(clock)
    for event in events:
        if event[0] == "zone":  # that keeps the date, which another test covers
            continue
        if event[0] not in ("run", "reboot") or device.true + float(str(event[1])) < due - 900:
            walk(device, [event])
    device.set_clock(0.0)
    if device.rang:
        return
    device.true = max(device.true, due - 900 - min(rest_s, due - 900 - device.true))
    device.look()
    device.true = due - 1
    device.look()
    assert device.rang == []
    device.true = due
    device.look()
    assert device.rang == [("up", due)]


@slow(100)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.floats(60.0, 6 * HOUR)),
            st.tuples(st.just("set_clock"), JUMPS),
            st.tuples(st.just("restart")),
            st.tuples(st.just("zone"), st.sampled_from(ZONES)),
        ),
        max_size=12,
    ),
    st.floats(1.0, DAY),
)
def test_timer_of_this_boot_rings_after_its_duration(
    events: list[tuple[object, ...]], seconds: float
) -> None:
    device = Device()
    device.timer(seconds)
    walk(device, events)
    device.run(2 * DAY)
    ((_, rang),) = device.rang
    assert 0 <= rang - FRIDAY - seconds <= LOOK_S
    assert device.missed == []


@pytest.mark.parametrize(("late_min", "rings"), [(0, True), (29, True), (31, False), (600, False)])
def test_alarm_more_than_half_an_hour_late_is_missed(late_min: int, rings: bool) -> None:
    device = Device()
    device.alarms.set_alarm(FRIDAY + 600, "up")
    device.reboot(600 + late_min * 60, "right")
    assert (len(device.rang), device.missed) == ((1, []) if rings else (0, ["up"]))


def test_sixteen_alarms_may_wait_or_ring_at_once() -> None:
    device = Device()
    for number in range(16):
        device.timer(60 + number)
    device.true += 60
    assert len(device.alarms.take_due(device.now)[0]) == 1  # it rings, and is not stopped
    with pytest.raises(ValueError, match="there are 16 timers already"):
        device.timer(60)
    device.alarms.stopped([1])
    device.timer(60)
