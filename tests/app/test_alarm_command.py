"""Words into the ringing: some alarms end, others are cancelled or stay. In simulated time."""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from parleyd.app.alarm_command import obey, snoozed
from parleyd.embedded.recognition import RecognitionResult
from parleyd.skills.alarms import Alarm, ClockReading
from parleyd.skills.timers import Timers

MORNING = datetime(2026, 3, 4, 6, 50)
"""Ten minutes before the first alarm rings; a Wednesday."""


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def into_the_ringing(things: str, words: str, sure: bool = True) -> tuple[str, str]:
    """The alarms that end at the words, and those that still wait.

    `things`: each is the hour of an alarm, or the minutes of a timer and its name; those that are
    due after ten minutes ring.
    """
    wall = MORNING.timestamp()
    timers = Timers([], lambda: ClockReading(wall, wall - MORNING.timestamp()))
    for thing in things.split(", "):
        length, _, name = thing.partition(" ")
        if ":" in length:
            asyncio.run(timers.set_alarm(length))
        else:
            asyncio.run(timers.set_timer(60 * int(length), name))
    wall += 600.5
    ringing = timers.take_due()
    heard = RecognitionResult(words, 0.0, sure=sure)
    ends = asyncio.run(obey(heard, timers, tuple(alarm.id for alarm in ringing)))
    ended = [told(alarm) for alarm in ringing if alarm.id in ends]
    return ", ".join(ended), ", ".join(told(alarm) for alarm, _ in timers.waiting())


def told(alarm: Alarm) -> str:
    if alarm.timer:
        return f"{round(alarm.seconds / 60)} {alarm.name}".strip()
    return f"{datetime.fromtimestamp(alarm.due):%H:%M}"


HOUSE = "07:00, 20 pasta, 30"


@pytest.mark.parametrize(
    ("words", "ends", "left"),
    [
        ("stop", "07:00", "20 pasta, 30"),
        ("turn it off", "07:00", "20 pasta, 30"),
        ("i'm awake", "07:00", "20 pasta, 30"),
        ("cancel the alarm", "07:00", "20 pasta, 30"),
        ("cancel all alarms", "07:00", "20 pasta, 30"),
        ("turn off the seven o'clock alarm", "07:00", "20 pasta, 30"),
        ("cancel the alarm at seven", "07:00", "20 pasta, 30"),
        ("cancel the alarm for today", "07:00", "20 pasta, 30"),
        ("cancel the thirty minute timer", "", "20 pasta"),
        ("cancel the pasta timer", "", "30"),
        ("cancel the timer", "", "20 pasta, 30"),
        ("cancel all timers", "", ""),
        ("cancel all alarms for tomorrow", "", "20 pasta, 30"),
        ("turn off the eight o'clock alarm", "", "20 pasta, 30"),
        ("turn it down", "", "20 pasta, 30"),
    ],
)
def test_words_end_the_named_ones(words: str, ends: str, left: str) -> None:
    assert into_the_ringing(HOUSE, words) == (ends, left)


@pytest.mark.parametrize(
    ("words", "minutes"),
    [("snooze", 9), ("snooze for twenty minutes", 20), ("five more minutes", 5), ("stop", 0)],
)
def test_snooze_into_the_ringing_lets_it_ring_again(words: str, minutes: int) -> None:
    wall = MORNING.timestamp()
    timers = Timers([], lambda: ClockReading(wall, wall - MORNING.timestamp()))
    asyncio.run(timers.set_alarm("07:00"))
    wall += 601
    (ringing,) = timers.take_due()
    told = asyncio.run(snoozed(RecognitionResult(words, 0.0), timers, (ringing.id,)))
    timers.stopped([ringing.id])
    assert told == (f"The alarm rings again in {minutes} minutes." if minutes else "")
    assert [round(left_s) for _, left_s in timers.waiting()] == [60 * minutes] * bool(minutes)


@pytest.mark.parametrize("words", ["cancel the alarm", "turn off the alarm", "cancel all alarms"])
def test_ringing_timer_is_called_an_alarm_and_the_wake_up_stays(words: str) -> None:
    assert into_the_ringing("10 pasta, 08:00", words) == ("10 pasta", "08:00")


def test_hour_cancels_the_alarm_that_waits() -> None:
    assert into_the_ringing("10 pasta, 08:00", "cancel the eight o'clock alarm") == ("", "")


def test_name_is_known_in_singular_and_plural() -> None:
    assert into_the_ringing("07:00, 20 eggs, 30", "cancel the egg timer") == ("", "30")


def test_only_the_kind_that_was_said_ends() -> None:
    assert into_the_ringing("10, 07:00", "turn off the timer") == ("10", "")
    assert into_the_ringing("10, 07:00", "turn off the alarm") == ("07:00", "")


def test_without_another_timer_the_word_means_what_rings() -> None:
    assert into_the_ringing("07:00, 08:00", "turn off the timer") == ("07:00", "08:00")


def test_length_chooses_among_timers() -> None:
    assert into_the_ringing("10, 15", "cancel the ten minute timer") == ("10", "15")


@pytest.mark.parametrize("words", ["cancel the pasta timer", "cancel all timers"])
def test_unsure_words_cancel_nothing_that_waits(words: str) -> None:
    assert into_the_ringing(HOUSE, words, sure=False) == ("", "20 pasta, 30")
