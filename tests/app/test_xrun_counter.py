"""All xruns are counted, few are logged."""

from parleyd.app.xrun_counter import Dropouts

TOLD_EVERY_S = 10.0


def test_first_xrun_is_logged_at_once_and_a_flood_rarely() -> None:
    dropouts = Dropouts()
    told = [dropouts.add(2, now=5.0 + beat / 100) for beat in range(1500)]
    assert dropouts.total == 3000
    assert [due for due in told if due] == [2, 2000]
    assert dropouts.add(1, now=100.0) == 3000 - 2002 + 1


def test_rare_xruns_are_logged_each_time() -> None:
    dropouts = Dropouts()
    assert [dropouts.add(1, now=TOLD_EVERY_S * n) for n in range(3)] == [1, 1, 1]


def test_xrun_counter_text_names_the_total() -> None:
    dropouts = Dropouts()
    words = [str(dropouts)]
    for _ in range(2):
        dropouts.add(1, now=0.0)
        words.append(str(dropouts))
    assert words == ["", "1 dropout", "2 dropouts"]
