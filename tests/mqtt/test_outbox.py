"""What waits for the broker, and what passes from it; pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.mqtt.outbox import MOST_EVENTS, BrokerOutbox, CommandLimit, Publication, pause_s


def drained(outbox: BrokerOutbox) -> list[Publication]:
    messages = []
    while (message := outbox.next()) is not None:
        messages.append(message)
        outbox.sent(message)
    return messages


def test_newest_value_is_sent_once() -> None:
    outbox = BrokerOutbox()
    outbox.put({"a": b"1", "b": b"1"})
    outbox.put({"a": b"2"})
    assert drained(outbox) == [Publication("a", b"2", True), Publication("b", b"1", True)]
    outbox.put({"a": b"2"})
    assert drained(outbox) == []
    outbox.again("a", "unknown")
    assert drained(outbox) == [Publication("a", b"2", True)]


def test_value_that_changes_while_it_is_sent_is_sent_again() -> None:
    outbox = BrokerOutbox()
    outbox.put({"a": b"1"})
    message = outbox.next()
    assert message is not None
    outbox.put({"a": b"2"})
    outbox.sent(message)
    assert drained(outbox) == [Publication("a", b"2", True)]


def test_events_are_bounded_never_retained_and_not_told_late() -> None:
    outbox = BrokerOutbox()
    for number in range(MOST_EVENTS + 3):
        outbox.event("voice", b"%d" % number)
    told = drained(outbox)
    assert [message.payload for message in told] == [b"%d" % n for n in range(3, MOST_EVENTS + 3)]
    assert not any(message.retain for message in told)
    outbox.put({"a": b"1"})
    outbox.event("voice", b"old")
    outbox.all_again(connected=True)
    assert drained(outbox) == [Publication("a", b"1", True)]
    outbox.event("voice", b"new")
    outbox.all_again()
    assert [message.topic for message in drained(outbox)] == ["a", "voice"]


def test_limit_passes_a_number_in_each_second() -> None:
    limit = CommandLimit(per_s=3)
    assert [limit.admits(100.0 + n / 1000) for n in range(5)] == [True] * 3 + [False] * 2
    assert limit.admits(101.0)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pause_grows_to_its_bound(attempt: int, chance: float) -> None:
    assert 0.75 <= pause_s(attempt, chance) <= 75.0
    assert pause_s(attempt + 1, chance) >= pause_s(attempt, chance)


def test_pause_doubles() -> None:
    assert [pause_s(n, 0.5) for n in range(4)] == pytest.approx([1.0, 2.0, 4.0, 8.0])
