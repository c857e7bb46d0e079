"""Rounds, pauses and time limits of alarms, in plain seconds."""

import numpy as np
import pytest

from parleyd.core.alarm_sound import HUSH_S, AlarmSound
from parleyd.core.events import AlarmDue
from parleyd.playback import earcons

TONE_S = len(earcons.alarm()) / 24000
WORDS = np.full(24000, 7, np.int16)  # a second of speech


def ringing(now: float = 100.0, longest_s: float = 300.0) -> AlarmSound:
    alarm = AlarmSound(longest_s, earcons.alarm())
    alarm.add(AlarmDue("eggs", 7), now)
    return alarm


def test_ringing_pauses_a_second_and_a_half_between_rounds() -> None:
    alarm = ringing()
    assert not alarm.audible
    assert len(alarm.round(100.0)) == len(earcons.alarm())
    assert alarm.audible
    assert len(alarm.round(100.0 + TONE_S + 1.49)) == 0
    assert len(alarm.round(100.0 + TONE_S + 1.5)) == len(earcons.alarm())


def test_ringing_speaks_the_names_after_the_tone() -> None:
    alarm = AlarmSound(300.0, earcons.alarm())
    alarm.add(AlarmDue("eggs", 7, spoken=WORDS), 100.0)
    alarm.add(AlarmDue("tea", 8), 100.0)
    sound = alarm.round(100.0)
    assert sound.tolist() == [*earcons.alarm().tolist(), *WORDS.tolist()]
    assert len(alarm.round(100.0 + TONE_S + 1.0 + 1.49)) == 0
    assert len(alarm.round(100.0 + TONE_S + 1.0 + 1.5)) > 0


def test_ringing_without_alarms_is_silent() -> None:
    alarm = AlarmSound(300.0, earcons.alarm())
    assert len(alarm.round(5.0)) == 0
    assert not alarm.audible
    assert not alarm.impatient(1000.0)
    assert not alarm.is_over(1000.0)


def test_ringing_waits_ten_seconds_for_an_answer_to_end() -> None:
    alarm = ringing(100.0)
    assert not alarm.impatient(109.99)
    assert alarm.impatient(110.0)
    alarm.add(AlarmDue("tea", 8), 109.0)  # a second alarm does not delay the first
    assert alarm.impatient(110.0)
    alarm.round(110.0)
    assert not alarm.impatient(120.0)


def test_ringing_ends_after_its_longest_duration() -> None:
    alarm = ringing(100.0, longest_s=60.0)
    alarm.round(105.0)
    assert not alarm.is_over(164.99)
    assert alarm.is_over(165.0)


def test_ringing_is_hushed_for_three_seconds() -> None:
    alarm = ringing()
    alarm.round(100.0)
    alarm.hush(100.4, 100.5, for_s=HUSH_S)
    assert len(alarm.round(103.49)) == 0
    assert alarm.spoken(False, 103.49) is None
    assert alarm.spoken(False, 103.5) == 100.4
    assert alarm.spoken(True, 103.6) is None  # once
    assert len(alarm.round(106.49)) == 0  # three more for recognition
    assert len(alarm.round(106.5)) > 0


def test_ringing_passes_words_on_when_they_end() -> None:
    alarm = ringing()
    alarm.round(100.0)
    alarm.hush(100.4, 100.5, for_s=HUSH_S)
    assert alarm.spoken(True, 101.0) == 100.4
    assert len(alarm.round(103.99)) == 0
    assert len(alarm.round(104.0)) > 0


def test_ringing_resumes_at_once_after_other_words() -> None:
    alarm = ringing()
    alarm.round(100.0)
    alarm.hush(100.4, 100.5, for_s=HUSH_S)
    alarm.resume(0.0, 101.0)
    assert len(alarm.round(101.0)) > 0


def test_stopped_ringing_returns_all_alarms_and_clears_them() -> None:
    alarm = ringing()
    alarm.add(AlarmDue("tea", 8), 100.0)
    alarm.round(100.0)
    alarm.hush(100.4, 100.5, for_s=HUSH_S)
    assert alarm.stop() == (7, 8)
    assert not alarm.audible
    assert alarm.spoken(True, 101.0) is None
    assert alarm.stop() == ()
    assert len(alarm.round(200.0)) == 0


@pytest.mark.parametrize("count", [16, 17, 40])
def test_ringing_holds_at_most_sixteen(count: int) -> None:
    alarm = AlarmSound(300.0, earcons.alarm())
    for number in range(count):
        alarm.add(AlarmDue("x", number), 1.0)
    assert alarm.stop() == tuple(range(16))
