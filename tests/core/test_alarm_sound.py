"""Rounds, pauses and time limits of alarms, in plain seconds."""

import numpy as np
import pytest

from parleyd.core.alarm_sound import Ringing
from parleyd.core.events import Ring
from parleyd.playback import earcons

TONE_S = len(earcons.alarm()) / 24000
WORDS = np.full(24000, 7, np.int16)  # a second of speech


def ringing(now: float = 100.0, longest_s: float = 300.0) -> Ringing:
    bell = Ringing(longest_s)
    bell.add(Ring("eggs", 7), now)
    return bell


def test_ringing_pauses_a_second_and_a_half_between_rounds() -> None:
    bell = ringing()
    assert not bell.audible
    assert len(bell.round(100.0)) == len(earcons.alarm())
    assert bell.audible
    assert len(bell.round(100.0 + TONE_S + 1.49)) == 0
    assert len(bell.round(100.0 + TONE_S + 1.5)) == len(earcons.alarm())


def test_ringing_speaks_the_names_after_the_tone() -> None:
    bell = Ringing(300.0)
    bell.add(Ring("eggs", 7, spoken=WORDS), 100.0)
    bell.add(Ring("tea", 8), 100.0)
    sound = bell.round(100.0)
    assert sound.tolist() == [*earcons.alarm().tolist(), *WORDS.tolist()]
    assert len(bell.round(100.0 + TONE_S + 1.0 + 1.49)) == 0
    assert len(bell.round(100.0 + TONE_S + 1.0 + 1.5)) > 0


def test_ringing_without_alarms_is_silent() -> None:
    bell = Ringing(300.0)
    assert len(bell.round(5.0)) == 0
    assert not bell.audible
    assert not bell.impatient(1000.0)
    assert not bell.is_over(1000.0)


def test_ringing_waits_ten_seconds_for_an_answer_to_end() -> None:
    bell = ringing(100.0)
    assert not bell.impatient(109.99)
    assert bell.impatient(110.0)
    bell.add(Ring("tea", 8), 109.0)  # a second alarm does not delay the first
    assert bell.impatient(110.0)
    bell.round(110.0)
    assert not bell.impatient(120.0)


def test_ringing_ends_after_its_longest_duration() -> None:
    bell = ringing(100.0, longest_s=60.0)
    bell.round(105.0)
    assert not bell.is_over(164.99)
    assert bell.is_over(165.0)


def test_ringing_is_hushed_for_three_seconds() -> None:
    bell = ringing()
    bell.round(100.0)
    bell.hush(100.4, 100.5)
    assert len(bell.round(103.49)) == 0
    assert bell.spoken(False, 103.49) is None
    assert bell.spoken(False, 103.5) == 100.4
    assert bell.spoken(True, 103.6) is None  # once
    assert len(bell.round(106.49)) == 0  # three more for recognition
    assert len(bell.round(106.5)) > 0


def test_ringing_passes_words_on_when_they_end() -> None:
    bell = ringing()
    bell.round(100.0)
    bell.hush(100.4, 100.5)
    assert bell.spoken(True, 101.0) == 100.4
    assert len(bell.round(103.99)) == 0
    assert len(bell.round(104.0)) > 0


def test_ringing_resumes_at_once_after_other_words() -> None:
    bell = ringing()
    bell.round(100.0)
    bell.hush(100.4, 100.5)
    bell.go_on(101.0)
    assert len(bell.round(101.0)) > 0


def test_stopped_ringing_returns_all_alarms_and_clears_them() -> None:
    bell = ringing()
    bell.add(Ring("tea", 8), 100.0)
    bell.round(100.0)
    bell.hush(100.4, 100.5)
    assert bell.stop() == (7, 8)
    assert not bell.audible
    assert bell.spoken(True, 101.0) is None
    assert bell.stop() == ()
    assert len(bell.round(200.0)) == 0


@pytest.mark.parametrize("count", [16, 17, 40])
def test_ringing_holds_at_most_sixteen(count: int) -> None:
    bell = Ringing(300.0)
    for number in range(count):
        bell.add(Ring("x", number), 1.0)
    assert bell.stop() == tuple(range(16))
