"""All xruns are counted, few are logged."""

from parleyd.app.xrun_counter import XrunCounter

TOLD_EVERY_S = 10.0


def test_first_xrun_is_logged_at_once_and_a_flood_rarely() -> None:
    xruns = XrunCounter()
    told = [xruns.add(2, now=5.0 + period / 100) for period in range(1500)]
    assert xruns.total == 3000
    assert [due for due in told if due] == [2, 2000]
    assert xruns.add(1, now=100.0) == 3000 - 2002 + 1


def test_rare_xruns_are_logged_each_time() -> None:
    xruns = XrunCounter()
    assert [xruns.add(1, now=TOLD_EVERY_S * n) for n in range(3)] == [1, 1, 1]


def test_xrun_counter_text_names_the_total() -> None:
    xruns = XrunCounter()
    words = [str(xruns)]
    for _ in range(2):
        xruns.add(1, now=0.0)
        words.append(str(xruns))
    assert words == ["", "1 xrun", "2 xruns"]
