"""The pure part of the control socket: lines, messages, the queue of a client, the pace."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.control.lines import ClientQueue, LineBuffer, RequestPace
from parleyd.control.replies import (
    LONGEST_LINE,
    Code,
    Done,
    ErrorReply,
    EventsDropped,
    Hello,
    Logged,
    encode,
    parse_daemon_line,
    plain_fields,
)
from parleyd.control.requests import MuteRequest, StatusRequest, VolumeRequest, parse_request
from parleyd.errors import ProtocolError


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.data())
def test_line_buffer_cuts_any_pieces_into_the_same_lines(lines: list[bytes], data: Any) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    buffer, found, rest = LineBuffer(), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += buffer.feed(rest[:size])
        rest = rest[size:]
    assert found == lines


@pytest.mark.parametrize("step", [1 << 12, 1 << 20])
def test_line_buffer_takes_the_longest_line_and_no_longer_one(step: int) -> None:
    for extra, overflowed in ((0, False), (1, True)):
        buffer = LineBuffer()
        stream = b"a\n" + b"x" * (LONGEST_LINE + extra) + b"\nb\n"
        found = [
            line
            for place in range(0, len(stream), step)
            for line in buffer.feed(stream[place : place + step])
        ]
        assert buffer.overflowed is overflowed
        assert [len(line) for line in found] == ([1] if overflowed else [1, LONGEST_LINE, 1])


def test_line_buffer_does_not_wait_for_the_end_of_a_long_line() -> None:
    buffer = LineBuffer()
    buffer.feed(b"x" * LONGEST_LINE)
    assert not buffer.overflowed
    buffer.feed(b"x")
    assert buffer.overflowed
    assert buffer.feed(b"\n{}\n") == []


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"type":"status","id":7,"later":[1]}', StatusRequest(id=7)),
        (b' {"type": "mute"} ', MuteRequest(minutes=1440)),
        (b'{"type":"volume","percent":0}', VolumeRequest(percent=0)),
    ],
)
def test_request_is_parsed(line: bytes, request_: msgspec.Struct) -> None:
    assert parse_request(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"id":3}',
        b'{"type":"dance","id":3}',
        b'{"type":"mute","minutes":0,"id":3}',
        b'{"type":"mute","minutes":1441}',
        b'{"type":"volume","percent":101}',
        b'{"type":"status","id":-1}',
        b'{"type":"status","id":"\xff"}',
        b'{"type":"subscribe","topics":["words"]}',
        b"[" * 60_000,
    ],
)
def test_line_that_is_no_request_gets_an_error(line: bytes) -> None:
    reply = parse_request(line)
    assert isinstance(reply, ErrorReply)
    assert reply.code == Code.BAD_REQUEST
    assert reply.id == (3 if b'"id":3' in line else 0)


@given(st.binary(max_size=200))
def test_any_line_gets_a_request_or_an_error_of_one_line(line: bytes) -> None:
    reply = parse_request(line)
    assert encode(reply).count(b"\n") == 1


def test_line_of_a_later_daemon_is_a_protocol_error() -> None:
    assert parse_daemon_line(b'{"type":"hello","protocol":1,"version":"9","more":1}') == Hello(
        protocol=1, version="9"
    )
    with pytest.raises(ProtocolError, match="cannot be read"):
        parse_daemon_line(b'{"type":"song"}')


def test_fields_of_log_events_become_json_whatever_they_are() -> None:
    import numpy as np

    fields = plain_fields(
        {"n": 3, "on": True, "x": np.float64(1.23456), "no": None, "inf": float("inf"),
         "name": "a\nb", "long": "y" * 900, "state": Code.MUTED}
    )  # fmt: skip
    line = encode(Logged(name="e", fields=fields))
    assert isinstance(parse_daemon_line(line), Logged)
    told = json.loads(line)["fields"]
    assert told.pop("long").startswith("y" * 500 + "...")
    assert told == {
        "n": 3, "on": True, "x": 1.235, "no": None, "inf": None, "name": "a\\nb", "state": "muted"
    }  # fmt: skip


# --- the queue of a client ----------------------------------------------------------------


def taken(queue: ClientQueue) -> list[bytes]:
    lines = []
    while (line := queue.take()) is not None:
        lines.append(line)
    return lines


def test_queue_keeps_replies_and_the_newest_events_in_order() -> None:
    queue = ClientQueue(most_events=3)
    for number in range(5):
        queue.event(b"e%d" % number)
        if number == 2:
            queue.reply(b"r")
    assert taken(queue) == [encode(EventsDropped(count=2)), b"e2", b"r", b"e3", b"e4"]


def test_queue_says_each_dropped_event_once() -> None:
    queue = ClientQueue(most_events=2)
    for number in range(4):
        queue.event(b"%d" % number)
    assert taken(queue) == [encode(EventsDropped(count=2)), b"2", b"3"]
    queue.event(b"4")
    assert taken(queue) == [b"4"]


@given(
    st.lists(st.sampled_from(["reply", "event", "take"]), max_size=60),
    st.integers(1, 4),
    st.integers(3, 20),
)
def test_queue_is_bounded_ordered_and_loses_nothing_silently(
    steps: list[str], most_events: int, most_bytes: int
) -> None:
    queue, out, given_events, replies = ClientQueue(most_events, most_bytes), [], 0, 0
    for step in steps:
        if step == "reply":
            replies += 1
            queue.reply(b"r%d" % replies)
        elif step == "event":
            given_events += 1
            queue.event(b"e%d" % given_events)
        elif (line := queue.take()) is not None:
            out.append(line)
    left = taken(queue)
    out += left
    assert sum(line.startswith(b"e") for line in left) <= most_events
    assert sum(len(line) for line in left if line.startswith(b"e")) <= most_bytes
    dropped = sum(json.loads(line)["count"] for line in out if line.startswith(b"{"))
    events = [int(line[1:]) for line in out if line.startswith(b"e")]
    assert events == sorted(events)
    assert len(events) + dropped == given_events
    assert [line for line in out if line.startswith(b"r")] == [
        b"r%d" % number for number in range(1, replies + 1)
    ]


# --- the pace -----------------------------------------------------------------------------


def test_pace_lets_a_burst_pass_and_spreads_the_rest() -> None:
    pace = RequestPace(per_s=10.0, burst=3)
    waits = [pace.wait_s(100.0) for _ in range(5)]
    assert waits == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])
    assert pace.wait_s(200.0) == 0.0


@given(st.lists(st.floats(0, 0.5), max_size=50))
def test_pace_never_exceeds_its_rate(pauses_s: list[float]) -> None:
    pace, now, at = RequestPace(per_s=10.0, burst=3), 0.0, []
    for pause_s in pauses_s:
        now += pause_s
        at.append(now + pace.wait_s(now))
    for place in range(len(at) - 4):
        assert at[place + 4] - at[place] >= 0.1 - 1e-9  # four places after a burst of three


def test_reply_has_the_number_of_its_request() -> None:
    assert json.loads(encode(Done(id=4))) == {"type": "done", "id": 4}
