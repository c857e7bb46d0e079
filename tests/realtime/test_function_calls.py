"""Function calls that a server announces up to three times, in different forms: each runs once."""

import json

import pytest

from parleyd.realtime import events as ev
from parleyd.realtime.events import Json
from parleyd.realtime.function_calls import FunctionCalls

CALL: Json = {
    "type": "function_call", "status": "completed", "id": "i1", "call_id": "c1",
    "name": "set_timer", "arguments": '{"minutes": 5}',
}  # fmt: skip


def arguments_done(item: Json) -> ev.FunctionCallArgumentsDone:
    call_id, name, arguments = (item.get(key) or "" for key in ("call_id", "name", "arguments"))
    return ev.FunctionCallArgumentsDone(
        response_id="r",
        item_id=item.get("id") or "",
        call_id=call_id,
        name=name or None,
        arguments=arguments,
    )


def run(*, arguments: Json = CALL, item: Json = CALL, output: Json = CALL) -> list[Json]:
    """One call, announced in all three places, possibly differently."""
    calls = FunctionCalls()
    calls.announce(CALL | {"status": "in_progress", "arguments": ""})
    calls.arguments(arguments_done(arguments))
    called = [*calls.take(item), *calls.rest([output])]
    assert len(called) == 1, called
    return [{"id": one.call_id, "name": one.name, **one.arguments} for one in called]


@pytest.mark.parametrize("place", ["arguments", "item", "output"])
@pytest.mark.parametrize("field", ["call_id", "id", "name", "arguments", "status", "type"])
@pytest.mark.parametrize("value", [None, "", "other", KeyError])
def test_call_with_one_field_changed_runs_once(place: str, field: str, value: object) -> None:
    changed = {**CALL, field: value}
    if value is KeyError:
        del changed[field]
    (called,) = run(**{place: changed})
    if value != "other":
        assert called == {"id": "c1", "name": "set_timer", "minutes": 5} or field == "call_id"


def test_call_with_only_arguments_is_run_at_the_end() -> None:
    """Hugging Face's server before August 2026, and GLM-Realtime, which gives no call id."""
    for call_id, known_as in (("c1", "c1"), ("", "i1")):
        calls = FunctionCalls()
        calls.announce({"type": "function_call", "id": "i1", "name": "set_timer"})
        done = arguments_done(CALL | {"call_id": call_id, "name": None})
        calls.arguments(done)
        (called,) = calls.rest([])
        assert (called.call_id, called.name, called.arguments) == (
            known_as,
            "set_timer",
            {"minutes": 5},
        )


def test_two_calls_with_the_same_id_are_two() -> None:
    """llama.cpp gives every call the same id."""
    calls = FunctionCalls()
    first, second = CALL | {"id": None}, CALL | {"id": None, "arguments": '{"minutes": 9}'}
    called = [*calls.take(first), *calls.take(second), *calls.rest([first, second])]
    assert [one.arguments["minutes"] for one in called] == [5, 9]
    assert len({one.call_id for one in called}) == 2


def test_same_call_requested_twice_is_two() -> None:
    calls = FunctionCalls()
    first, second = CALL, CALL | {"id": "i2", "call_id": "c2"}
    called = [*calls.take(first), *calls.take(second), *calls.rest([first, second])]
    assert [one.call_id for one in called] == ["c1", "c2"]
    alone = FunctionCalls()
    assert [one.call_id for one in alone.rest([first, second])] == ["c1", "c2"]


def test_call_listed_only_at_the_end_is_run_too() -> None:
    calls = FunctionCalls()
    other = CALL | {"id": "i2", "call_id": "c2", "name": "tell_time", "arguments": "{}"}
    called = [*calls.take(CALL), *calls.rest([CALL, other])]
    assert [one.name for one in called] == ["set_timer", "tell_time"]


def test_incomplete_call_is_not_run() -> None:
    calls = FunctionCalls()
    broken = CALL | {"status": "incomplete"}
    assert [*calls.take(broken), *calls.rest([broken])] == []


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ('{"minutes": 5}', {"minutes": 5}),
        ({"minutes": 5}, {"minutes": 5}),
        ("{  \n  \"minutes\": 5 \n} \n", {"minutes": 5}),
        (json.dumps('{"minutes": 5}'), {"minutes": 5}),
        ('[{"minutes": 5}]', {"minutes": 5}),
        ('```json\n{"minutes": 5}\n```', {"minutes": 5}),
        ("", {}),
        (None, {}),
        ("null", {}),
        ("{", {}),
        ("[1, 2]", {}),
        ("five", {}),
        ("[" * 5000, {}),
    ],
)  # fmt: skip
def test_arguments_in_any_form_are_an_object(text: object, read_as: Json) -> None:
    (called,) = FunctionCalls().take(CALL | {"arguments": text})
    assert called.arguments == read_as
