"""The log's filter writes a repeated line once a second, with a count."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.app.effect_log import write_log_event
from parleyd.core.events import LogEvent
from parleyd.host.repeated import OneASecond
from parleyd.host.systemd import FieldsFormatter
from parleyd.skills import loading
from parleyd.skills.loading import Loaded


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(FieldsFormatter("%(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock: Clock) -> Iterator[Lines]:
    handler = Lines()
    handler.addFilter(OneASecond(handler, clock))
    root = logging.getLogger()
    before, root.handlers, level = root.handlers, [handler], root.level
    root.setLevel(logging.INFO)
    yield handler
    root.handlers = before
    root.setLevel(level)


log = logging.getLogger("parleyd.test")


def test_filter_line_that_occurs_twice_is_written_twice(lines: Lines, clock: Clock) -> None:
    log.warning("nothing listens; trying again in 0.6 s")
    clock.now += 0.6
    log.warning("nothing listens; trying again in 1.2 s")
    clock.now += 0.4
    log.info("something else")
    assert lines.lines == [
        "WARNING nothing listens; trying again in 0.6 s",
        "WARNING nothing listens; trying again in 1.2 s",
        "INFO something else",
    ]


def test_filter_thousand_bad_deltas_are_two_lines(lines: Lines, clock: Clock) -> None:
    for number in range(1000):
        log.warning("no event: %s", f"part {number}")
    clock.now += 1.0
    log.info("something else")
    assert lines.lines == [
        "WARNING no event: part 0",
        "WARNING 999 more in 1.0 s like this: no event: part 999",
        "INFO something else",
    ]


def test_filter_states_and_turns_are_all_written(lines: Lines) -> None:
    for number in range(100):
        write_log_event(LogEvent("state", {"before": "idle", "after": "listening"}))
        write_log_event(LogEvent("turn", {"turn": number}))
    assert len(lines.lines) == 200


def test_filter_writes_a_line_for_every_broken_skill(lines: Lines) -> None:
    """Error lines that differ in a number of a name are not repetitions."""
    problems = tuple(f"/skills/light{n}.py:1: ModuleNotFoundError" for n in range(30))
    loading.report(Loaded(problems=problems), Path("/skills"))
    assert lines.lines == [f"ERROR skill left out: {problem}" for problem in problems]


def test_filter_thousand_broken_skills_are_101_lines(lines: Lines) -> None:
    problems = tuple(f"/skills/light{n}.py:1: ModuleNotFoundError" for n in range(1000))
    loading.report(Loaded(problems=problems), Path("/skills"))
    assert len(lines.lines) == 101
    assert lines.lines[-1].startswith("ERROR 900 more problems with skills: run `parley check`")


def test_filter_count_of_an_event_is_not_logged_as_an_event(lines: Lines, clock: Clock) -> None:
    """`parley turns` adds up every line that begins with "usage"."""
    for number in range(30):
        write_log_event(LogEvent("usage", {"turn": number, "input_tokens": 5}))
    clock.now += 1.0
    log.info("later")
    assert [line for line in lines.lines if line.startswith("INFO usage")] == [
        f"INFO usage turn={number} input_tokens=5" for number in range(10)
    ]
    assert "INFO 20 more in 1.0 s like this: usage turn=29 input_tokens=5" in lines.lines


def test_filter_traceback_is_written_once_and_counted(lines: Lines, clock: Clock) -> None:
    for number in range(50):
        try:
            raise ValueError(f"number {number}")
        except ValueError:
            log.exception("a task failed")
    try:
        raise KeyError("another")
    except KeyError:
        log.exception("a task failed")
    clock.now += 1.0
    log.info("later")
    text = "\n".join(lines.lines)
    assert text.count("Traceback") == 2
    assert "ValueError: number 0" in text
    assert "KeyError: 'another'" in text
    assert "ERROR 49 more in 1.0 s like this: a task failed" in lines.lines


def test_filter_count_is_written_without_another_line() -> None:
    handler = Lines()
    handler.addFilter(OneASecond(handler))
    record = logging.makeLogRecord({"msg": "again", "levelno": 30, "levelname": "WARNING"})
    for _ in range(3):
        handler.handle(record)
    deadline = time.monotonic() + 20
    while len(handler.lines) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert handler.lines[1].startswith("WARNING 2 more in 1.")


def test_filter_count_is_written_at_the_end(clock: Clock) -> None:
    handler = Lines()
    filtering = OneASecond(handler, clock)
    handler.addFilter(filtering)
    record = logging.makeLogRecord({"msg": "again", "levelno": 30, "levelname": "WARNING"})
    for _ in range(3):
        handler.handle(record)
    filtering.flush_counts()
    assert handler.lines == ["WARNING again", "WARNING 2 more in 0.0 s like this: again"]


def test_filter_of_wrong_arguments_raises_nothing(clock: Clock) -> None:
    filtering = OneASecond(Lines(), clock)
    record = logging.makeLogRecord({"msg": "%d", "args": ("text",), "levelno": 30})
    assert filtering.filter(record)
    assert not filtering.filter(record)
    filtering._newest.clear()
    filtering._repeats.rest(0.0)
