"""Permissions without I/O: a yes counts for the one request that was heard, and for no other."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parleyd.realtime import read_aloud
from parleyd.realtime.events import CreateItem, Json, Response
from parleyd.realtime.permission import Permissions, PermissionState, services
from parleyd.realtime.session_events import Permission, PermissionQuestion

REQUEST: Json = {
    "type": "mcp_approval_request", "id": "ask1", "server_label": "home", "name": "open_door",
    "arguments": '{"door": "front"}',
}  # fmt: skip
YES: Json = {"type": "function_call", "name": "report_permission", "arguments": '{"granted":true}'}


def approvals(decisions: list[Any]) -> list[tuple[str, bool]]:
    """The decisions that the server gets."""
    items = [decision.item for decision in decisions if isinstance(decision, CreateItem)]
    return [(item["approval_request_id"], item["approve"]) for item in items]


def reasons(decisions: list[Any]) -> list[str]:
    return [d.reason for d in decisions if isinstance(d, Permission)]


def hear_question(permissions: Permissions) -> PermissionQuestion:
    """The offline voice reads the next question, and the user hears all of it."""
    question = permissions.question(0.0)
    assert question is not None
    assert permissions.read(question.number)
    assert permissions.heard()
    return question


def answer(permissions: Permissions, *output: Json, status: str = "completed") -> list[Any]:
    """The user answers the question; `output` is the model's verdict."""
    assert permissions.answered() == []
    permissions.said("u1")
    assert not permissions.waits
    return permissions.judged(Response(id="r", status=status, output=list(output)))


def asked(**changes: object) -> Permissions:
    """A request whose question was heard."""
    permissions = Permissions()
    assert permissions.take({**REQUEST, **changes}, lives=True) == []
    hear_question(permissions)
    return permissions


def test_clear_yes_grants_the_heard_request() -> None:
    assert approvals(answer(asked(), YES)) == [("ask1", True)]


VERDICTS = {
    "false": '{"granted": false}',
    "text": '{"granted": "true"}',
    "one": '{"granted": 1}',
    "true one": '{"granted": 1.0}',
    "twice, true last": '{"granted": false, "granted": true}',
    "twice, true first": '{"granted": true, "granted": false}',
    "more": '{"granted": true, "unless": "it rains"}',
    "list": "[true]",
    "bare": "true",
    "deep": "[" * 5000,
    "empty": "",
}


@pytest.mark.parametrize("arguments", VERDICTS.values(), ids=VERDICTS.keys())
def test_verdict_of_any_other_shape_counts_as_no(arguments: str) -> None:
    assert approvals(answer(asked(), {**YES, "arguments": arguments})) == [("ask1", False)]


def test_unreadable_request_is_refused_without_a_question() -> None:
    arguments = msgspec.json.encode({"note": "milk " * 200, "amount_eur": 9500}).decode()
    permissions = Permissions()
    refused = permissions.take({**REQUEST, "arguments": arguments}, lives=True)
    assert approvals(refused) == [("ask1", False)]
    assert reasons(refused) == ["it takes too long to be read aloud"]
    assert permissions.stage is PermissionState.NONE
    assert permissions.question(0.0) is None
    assert permissions.complete()  # it prompts the model to continue, once
    assert not permissions.complete()


def test_no_response_contains_any_part_of_the_request() -> None:
    permissions = Permissions()
    permissions.take(REQUEST, lives=True)
    said = [permissions.response()]
    hear_question(permissions)
    said.append(permissions.response())
    permissions.answered()
    permissions.said("u1")
    said.append(permissions.response())
    assert said[:2] == [{}, {}]
    assert said[2]["input"] == [{"type": "item_reference", "id": "u1"}]
    for word in ("home", "door", "front"):
        assert word not in str(said)


def test_question_not_heard_to_its_end_counts_as_no() -> None:
    permissions = Permissions()
    permissions.take(REQUEST, lives=True)
    question = permissions.question(0.0)
    assert question is not None
    assert not permissions.heard()  # it never began
    assert permissions.read(question.number)
    assert not permissions.read(question.number)
    permissions.said("early yes")
    assert approvals(permissions.answered()) == [("ask1", False)]
    assert permissions.stage is PermissionState.NONE
    assert approvals(permissions.judged(Response(id="r", status="completed", output=[YES]))) == []


def test_late_or_mismatched_voice_is_rejected() -> None:
    permissions = Permissions()
    permissions.take(REQUEST, lives=True)
    question = permissions.question(10.0)
    assert question is not None
    assert not permissions.read(question.number + 1)
    assert not permissions.overdue(14.9)
    assert permissions.overdue(15.0)
    permissions.refuse("the voice is late")
    assert not permissions.read(question.number)


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": '{"door": "back"}'},
        {"arguments": '{"door":"front"}'},  # a different text for the same object
        {"arguments": {"door": "front"}},
        {"name": "open_safe"},
        {"server_label": "bank"},
    ],
)
def test_request_that_changes_after_its_announcement_is_refused(change: Json) -> None:
    permissions = asked()
    assert permissions.take({**REQUEST, **change}, lives=True) == []
    assert approvals(answer(permissions, YES)) == [("ask1", False)]


def test_request_that_changes_after_many_others_is_refused() -> None:
    permissions = asked()
    for number in range(300):  # more than it stores
        permissions.take({**REQUEST, "id": f"flood{number}", "arguments": "{"}, lives=True)
    permissions.take({**REQUEST, "arguments": '{"door": "back"}'}, lives=True)
    assert approvals(answer(permissions, YES)) == [("ask1", False)]
    assert permissions.stage is PermissionState.NONE


def test_request_announced_three_times_has_one_question() -> None:
    permissions = Permissions()
    permissions.response_began()
    assert permissions.take(REQUEST, lives=True, of_response=False) == []
    assert permissions.take(REQUEST, lives=True) == []
    assert permissions.take(REQUEST, lives=True) == []
    hear_question(permissions)
    assert approvals(answer(permissions, YES)) == [("ask1", True)]
    assert permissions.take(REQUEST, lives=True, of_response=False) == []
    assert permissions.question(0.0) is None


def test_reused_request_id_gets_a_new_question() -> None:
    permissions = Permissions()
    permissions.response_began()
    permissions.take(REQUEST, lives=True)
    hear_question(permissions)
    answer(permissions, YES)
    permissions.response_began()
    assert permissions.take(REQUEST, lives=True, of_response=False) == []  # possibly the old one
    assert permissions.question(0.0) is None
    other = {**REQUEST, "arguments": '{"door": "back"}'}
    assert permissions.take(other, lives=True) == []
    assert "back" in hear_question(permissions).words
    assert approvals(answer(permissions, {**YES, "arguments": '{"granted":false}'})) == [
        ("ask1", False)
    ]


def test_each_of_several_requests_needs_its_own_yes() -> None:
    permissions = Permissions()
    for number in (1, 2):
        arguments = msgspec.json.encode({"door": number}).decode()
        permissions.take({**REQUEST, "id": f"ask{number}", "arguments": arguments}, lives=True)
    assert "door is one." in hear_question(permissions).words
    assert approvals(answer(permissions, YES)) == [("ask1", True)]
    assert permissions.stage is PermissionState.REQUEST
    assert permissions.waits
    assert "door is two." in hear_question(permissions).words
    assert approvals(permissions.interrupt()) == [("ask2", False)]


def test_only_configured_tools_get_a_question() -> None:
    allowed = services(
        [
            {"type": "function", "name": "get_time"},
            {"type": "mcp", "server_label": "home"},
            {"type": "mcp", "server_label": "notes", "allowed_tools": ["read"]},
        ]
    )
    for label, name, wanted in (
        ("home", "open_door", True),
        ("notes", "read", True),
        ("notes", "write", False),
        ("Home", "open_door", False),
        ("home ", "open_door", False),
        ("h\u043eme", "open_door", False),  # with a Cyrillic o
        ("bank", "pay", False),
        (None, "open_door", False),
        (["home"], "open_door", False),
    ):
        permissions = Permissions(allowed)
        item = {**REQUEST, "server_label": label, "name": name}
        refused = permissions.take(item, lives=True)
        assert approvals(refused) == ([] if wanted else [("ask1", False)])
        assert (permissions.question(0.0) is not None) is wanted


def test_requests_after_eight_questions_are_refused() -> None:
    permissions = Permissions()
    for number in range(8):
        permissions.take({**REQUEST, "id": f"ask{number}"}, lives=True)
        hear_question(permissions)
        answer(permissions, {**YES, "arguments": '{"granted":false}'})
    refused = permissions.take({**REQUEST, "id": "ask8"}, lives=True)
    assert approvals(refused) == [("ask8", False)]
    assert permissions.rest() == []
    assert permissions.take({**REQUEST, "id": "ask9"}, lives=True) == []


def test_model_is_prompted_a_limited_number_of_times() -> None:
    permissions = Permissions()
    continued = 0
    for number in range(50):
        permissions.response_began()
        permissions.take({**REQUEST, "id": f"ask{number}", "arguments": "{"}, lives=True)
        continued += permissions.complete()
    assert continued == 8


@pytest.mark.parametrize("request_id", [None, 5, "x" * 201, ["ask1"]])
def test_unanswerable_request_is_dropped(request_id: object) -> None:
    permissions = Permissions()
    assert permissions.take({**REQUEST, "id": request_id}, lives=True) == []
    assert permissions.stage is PermissionState.NONE


def test_memory_is_bounded_for_any_requests() -> None:
    permissions = Permissions()
    for number in range(2000):
        permissions.take({**REQUEST, "id": f"ask{number}", "arguments": "x" * 10_000}, lives=True)
    assert len(permissions._seen) == 256
    assert permissions._requests == []


OPS = ["take", "change", "late", "question", "read", "heard", "said", "answered", "yes", "no",
       "interrupt", "refuse", "rest", "response", "forget"] + ["onward"] * 15  # fmt: skip
ONWARD = {
    PermissionState.NONE: "take",
    PermissionState.REQUEST: "question",
    PermissionState.ANSWER: "answered",
    PermissionState.VERDICT: "yes",
}


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 2)), max_size=40))
def test_no_sequence_of_events_grants_an_unheard_request(steps: list[tuple[str, int]]) -> None:
    """A yes is only ever sent for the request whose question was read and heard last, after the
    user has answered, with the arguments that were read."""
    permissions = Permissions()
    newest: dict[str, str] = {}  # arguments by request id, as last announced by the server
    asked: PermissionQuestion | None = None
    began = heard = answered = False
    for step, number in steps:
        decisions: list[Any] = []
        request_id = f"ask{number}"
        if step == "onward":
            step = ONWARD.get(permissions.stage, "heard" if began else "read")
        match step:
            case "take" | "change" | "late":
                door = number if step != "change" else number + 100
                newest[request_id] = f'{{"door": {door}}}'
                item = {**REQUEST, "id": request_id, "arguments": newest[request_id]}
                decisions = permissions.take(item, lives=True, of_response=step != "late")
            case "question":
                if (question := permissions.question(0.0)) is not None:
                    asked, began, heard, answered = question, False, False, False
            case "read" if asked is not None:
                began = permissions.read(asked.number) or began
            case "heard":
                if permissions.heard():
                    assert began
                    heard = True
            case "said":
                permissions.said("item")
            case "answered":
                answered = heard
                decisions = permissions.answered()
            case "yes" | "no" if permissions.stage is PermissionState.VERDICT:
                output = [YES] if step == "yes" else []
                decisions = permissions.judged(Response(id="r", status="completed", output=output))
            case "interrupt":
                decisions = permissions.interrupt()
            case "refuse":
                decisions = permissions.refuse()
            case "rest":
                decisions = permissions.rest()
            case "response":
                permissions.response_began()
            case "forget":
                permissions.forget()
        for granted_id in [name for name, granted in approvals(decisions) if granted]:
            assert step == "yes"
            assert asked is not None
            assert began
            assert heard
            assert answered
            assert asked.words == question_of(newest[granted_id])


def question_of(arguments: str) -> str:
    """The question for these arguments."""
    return read_aloud.question("home", "open_door", arguments)
