"""Repeated lines: one each second is written, and no count is lost."""

from hypothesis import given
from hypothesis import strategies as st

from parleyd.system.repeats import Repeats


def test_repeats_line_once_a_second_is_written() -> None:
    repeats = Repeats()
    for second in range(5):
        assert repeats.over(float(second)) == []
        assert repeats.admit("bad", "", float(second)) is None


def test_repeats_thousand_at_once_are_one_line_and_a_count() -> None:
    repeats = Repeats()
    assert [repeats.admit("bad", "", 7.0) for _ in range(1000)].count(None) == 1
    assert repeats.counting
    assert repeats.over(7.9) == []
    assert repeats.over(8.0) == [(("bad", ""), 999, 1.0)]
    assert repeats.over(9.0) == []
    assert not repeats.counting


def test_repeats_continuous_line_is_one_count_a_second() -> None:
    repeats = Repeats()
    written = told = 0
    for tick in range(1000):  # ten seconds at 100 lines a second
        now = tick / 100
        counts = repeats.over(now)
        told += sum(count.more for count in counts)
        written += len(counts) + (repeats.admit("bad", "", now) is None)
    told += sum(count.more for count in repeats.rest(10.0))
    assert written == 10
    assert told == 999


def test_repeats_first_ten_texts_of_a_template_are_written() -> None:
    repeats = Repeats()
    assert [repeats.admit("skill", f"file {n}", 0.0) for n in range(10)] == [None] * 10
    assert [repeats.admit("skill", f"file {n}", 0.0) for n in range(10, 30)].count(None) == 0
    assert repeats.over(1.0) == [(("skill", ""), 20, 1.0)]


def test_repeats_other_templates_do_not_wait() -> None:
    repeats = Repeats()
    for _ in range(50):
        repeats.admit("bad", "", 0.0)
    assert repeats.admit("good", "", 0.0) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 400))))
def test_repeats_every_line_is_written_or_counted(
    lines: list[tuple[str, str, int]],
) -> None:
    repeats, now, seen = Repeats(), 0.0, 0
    for template, text, ms in lines:
        now += ms / 1000
        seen += sum(count.more for count in repeats.over(now))
        seen += repeats.admit(template, text, now) is None
    assert seen + sum(count.more for count in repeats.rest(now)) == len(lines)


def test_repeats_many_templates_are_counted_together() -> None:
    repeats = Repeats()
    written = [repeats.admit(str(number), "", 0.0) for number in range(5000)].count(None)
    assert written == 1000
    assert sum(count.more for count in repeats.over(1.0)) == 4000
