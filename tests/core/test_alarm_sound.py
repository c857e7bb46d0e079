"""Rounds, pauses and time limits of alarms, in plain seconds."""

import numpy as np
import pytest

from parleyd.core.alarm_sound import AlarmSound
from parleyd.core.events import AlarmDue
from parleyd.playback import earcons

TONE_S = len(earcons.alarm()) / 24000
WORDS = np.full(24000, 7, np.int16)  # a second of speech


def ringing(now: float = 100.0, longest_s: float = 300.0) -> AlarmSound:
    ringer = AlarmSound(longest_s)
    ringer.add(AlarmDue("eggs", 7), now)
    return ringer


def test_ringing_pauses_a_second_and_a_half_between_rounds() -> None:
    ringer = ringing()
    assert not ringer.audible
    assert len(ringer.round(100.0)) == len(earcons.alarm())
    assert ringer.audible
    assert len(ringer.round(100.0 + TONE_S + 1.49)) == 0
    assert len(ringer.round(100.0 + TONE_S + 1.5)) == len(earcons.alarm())


def test_ringing_speaks_the_names_after_the_tone() -> None:
    ringer = AlarmSound(300.0)
    ringer.add(AlarmDue("eggs", 7, spoken=WORDS), 100.0)
    ringer.add(AlarmDue("tea", 8), 100.0)
    sound = ringer.round(100.0)
    assert sound.tolist() == [*earcons.alarm().tolist(), *WORDS.tolist()]
    assert len(ringer.round(100.0 + TONE_S + 1.0 + 1.49)) == 0
    assert len(ringer.round(100.0 + TONE_S + 1.0 + 1.5)) > 0


def test_ringing_without_alarms_is_silent() -> None:
    ringer = AlarmSound(300.0)
    assert len(ringer.round(5.0)) == 0
    assert not ringer.audible
    assert not ringer.impatient(1000.0)
    assert not ringer.is_over(1000.0)


def test_ringing_waits_ten_seconds_for_an_answer_to_end() -> None:
    ringer = ringing(100.0)
    assert not ringer.impatient(109.99)
    assert ringer.impatient(110.0)
    ringer.add(AlarmDue("tea", 8), 109.0)  # a second alarm does not delay the first
    assert ringer.impatient(110.0)
    ringer.round(110.0)
    assert not ringer.impatient(120.0)


def test_ringing_ends_after_its_longest_duration() -> None:
    ringer = ringing(100.0, longest_s=60.0)
    ringer.round(105.0)
    assert not ringer.is_over(164.99)
    assert ringer.is_over(165.0)


def test_ringing_is_hushed_for_three_seconds() -> None:
    ringer = ringing()
    ringer.round(100.0)
    ringer.hush(100.4, 100.5)
    assert len(ringer.round(103.49)) == 0
    assert ringer.spoken(False, 103.49) is None
    assert ringer.spoken(False, 103.5) == 100.4
    assert ringer.spoken(True, 103.6) is None  # once
    assert len(ringer.round(106.49)) == 0  # three more for recognition
    assert len(ringer.round(106.5)) > 0


def test_ringing_passes_words_on_when_they_end() -> None:
    ringer = ringing()
    ringer.round(100.0)
    ringer.hush(100.4, 100.5)
    assert ringer.spoken(True, 101.0) == 100.4
    assert len(ringer.round(103.99)) == 0
    assert len(ringer.round(104.0)) > 0


def test_ringing_resumes_at_once_after_other_words() -> None:
    ringer = ringing()
    ringer.round(100.0)
    ringer.hush(100.4, 100.5)
    ringer.resume(101.0)
    assert len(ringer.round(101.0)) > 0


def test_stopped_ringing_returns_all_alarms_and_clears_them() -> None:
    ringer = ringing()
    ringer.add(AlarmDue("tea", 8), 100.0)
    ringer.round(100.0)
    ringer.hush(100.4, 100.5)
    assert ringer.stop() == (7, 8)
    assert not ringer.audible
    assert ringer.spoken(True, 101.0) is None
    assert ringer.stop() == ()
    assert len(ringer.round(200.0)) == 0


@pytest.mark.parametrize("count", [16, 17, 40])
def test_ringing_holds_at_most_sixteen(count: int) -> None:
    ringer = AlarmSound(300.0)
    for number in range(count):
        ringer.add(AlarmDue("x", number), 1.0)
    assert ringer.stop() == tuple(range(16))
