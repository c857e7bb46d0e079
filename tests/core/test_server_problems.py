"""Server errors: a thousand become a few log events, and all are counted."""

from parleyd.core.server_problems import ServerProblems
from parleyd.realtime import events as ev
from parleyd.realtime.server_errors import ErrorAction
from tests.paper_server import Paper, settings


def test_problems_with_other_texts_are_separate_log_events() -> None:
    problems = ServerProblems()
    texts = ("one", "two", "one")
    taken = [problems.log_event(ErrorAction.CLIENT_ERROR, text, 1.0) for text in texts]
    assert [event and event.fields["text"] for event in taken] == ["one", "two", None]
    assert problems.counts(1.9) == []
    assert [log_event.fields for log_event in problems.counts(2.0)] == [{"more": 1, "text": "one"}]


def test_problems_with_endless_texts_are_bounded() -> None:
    problems = ServerProblems()
    texts = ("".join(chr(97 + int(d)) for d in str(number)) for number in range(5000))
    taken = [problems.log_event(ErrorAction.CLIENT_ERROR, text, 0.0) for text in texts]
    assert sum(event is not None for event in taken) == 10
    (count,) = problems.counts(1.0)
    assert count.fields == {"more": 4990, "text": "errors of other kinds"}


def test_thousand_errors_in_a_second_are_two_log_events() -> None:
    paper = Paper(settings())
    for number in range(1000):
        error = ev.ErrorDetail(code="odd", message=f"something odd happened {number}")
        paper.say(ev.ServerError(error=error))
    paper.run(2.0)
    first, rest = paper.log_events("server_error")
    assert "something odd happened 0" in str(first.fields["text"])
    assert rest.fields["more"] == 999
