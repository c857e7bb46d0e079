"""Dropouts: all are counted, few are told."""

from parleyd.app.xrun_counter import Dropouts

TOLD_EVERY_S = 10.0


def test_the_first_is_told_at_once_and_a_flood_only_now_and_then() -> None:
    dropouts = Dropouts()
    told = [dropouts.add(2, now=5.0 + beat / 100) for beat in range(1500)]
    assert dropouts.total == 3000
    assert [due for due in told if due] == [2, 2000]
    assert dropouts.add(1, now=100.0) == 3000 - 2002 + 1


def test_one_long_after_another_is_told_each_time() -> None:
    dropouts = Dropouts()
    assert [dropouts.add(1, now=TOLD_EVERY_S * n) for n in range(3)] == [1, 1, 1]


def test_in_words() -> None:
    dropouts = Dropouts()
    words = [str(dropouts)]
    for _ in range(2):
        dropouts.add(1, now=0.0)
        words.append(str(dropouts))
    assert words == ["", "1 dropout", "2 dropouts"]
