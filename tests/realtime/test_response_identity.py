"""Ids are unique only within their response; playback and calls must still be correct."""

import json
from typing import Any

import numpy as np
import pytest

from parleyd import config
from parleyd.realtime import events as ev
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ReplyAudio, ReplyDone, SessionEvent, SkillCalled

VOICE = np.full(4800, 1000, np.int16)  # 200 ms at 24 kHz
SERVERS = ["openai", "azure", "xai", "localai", "speech-to-speech", "compatible"]


def session(server: Any = "openai") -> RealtimeSession:
    realtime = config.RealtimeConfig(server=server, url="ws://nas/v1", model="m")
    made = RealtimeSession(realtime, config.TurnConfig(detection="local"))
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    made.to_send()
    return made


def ask(made: RealtimeSession, now: float = 0.0) -> dict[str, str]:
    """A turn of the user ends; returns the metadata of our create."""
    made.append(VOICE)
    made.ask_for_reply(now)
    made.poll(now + 10.0)  # a server that answers by itself had its time
    create = [event for event in made.to_send() if isinstance(event, ev.CreateResponse)][-1]
    assert isinstance(create.response, dict)
    return create.response["metadata"]


def created(name: str, metadata: dict[str, str] | None = None) -> ev.ResponseCreated:
    return ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata))


def delta(name: str, value: int, item: str = "item_0") -> ev.AudioDelta:
    data = np.full(10, value, "<i2").tobytes()
    return ev.AudioDelta(response_id=name, item_id=item, delta=data)


def done(name: str, status: str = "completed", output: list[ev.Json] | None = None) -> object:
    return ev.ResponseDone(response=ev.Response(id=name, status=status, output=output))


def feed(made: RealtimeSession, events: list[object], now: float = 11.0) -> list[SessionEvent]:
    emitted: list[SessionEvent] = []
    for event in events:
        assert isinstance(event, ev.ServerEvent)
        emitted += made.receive(event, now)
    return emitted


def values(emitted: list[SessionEvent]) -> list[int]:
    """The played values, one for each delta."""
    return [int(audio.frames[0]) for audio in emitted if isinstance(audio, ReplyAudio)]


@pytest.mark.parametrize("server", SERVERS)
def test_response_ids_used_again_are_new_responses(server: Any) -> None:
    made = session(server)
    numbers = set()
    for turn in range(3):
        metadata = ask(made, 100.0 * turn)
        emitted = feed(
            made,
            [
                created("R", metadata if server == "openai" else None),
                delta("R", 7 + turn),
                ev.AudioDone(response_id="R", item_id="item_0"),
                done("R"),
            ],
            100.0 * turn + 11,
        )
        assert values(emitted) == [7 + turn]
        assert emitted[-1] == ReplyDone()
        numbers |= {audio.response for audio in emitted if isinstance(audio, ReplyAudio)}
    assert len(numbers) == 3
    assert [e for e in made.to_send() if isinstance(e, ev.CancelResponse)] == []


def test_response_id_of_an_interrupted_one_is_reusable() -> None:
    made = session("compatible")
    ask(made)
    feed(made, [created("R"), delta("R", 1)])
    made.interrupt([], 12.0)
    assert values(feed(made, [delta("R", 2), done("R", "cancelled"), delta("R", 3)])) == []
    ask(made, 20.0)
    assert values(feed(made, [created("R"), delta("R", 4), done("R")], 31.0)) == [4]


def test_created_twice_changes_nothing() -> None:
    made = session()
    metadata = ask(made)
    emitted = feed(
        made, [created("r", metadata), delta("r", 1), created("r", metadata), delta("r", 2)]
    )
    assert values(emitted) == [1, 2]
    assert feed(made, [done("r")]) == [ReplyDone()]
    assert made.to_send() == []


def test_created_twice_does_not_revive_an_interrupted_response() -> None:
    made = session()
    metadata = ask(made)
    feed(made, [created("r", metadata), delta("r", 1)])
    made.interrupt([], 12.0)
    assert values(feed(made, [created("r", metadata), delta("r", 2)])) == []


@pytest.mark.parametrize("server", SERVERS)
def test_unannounced_response_is_the_answer(server: Any) -> None:
    made = session(server)
    ask(made)
    emitted = feed(made, [delta("x", 1), delta("x", 2), done("x")])
    assert values(emitted) == [1, 2]
    assert emitted[-1] == ReplyDone()
    assert made.to_send() == []
    assert not made.awaiting


def test_created_after_the_first_audio_changes_nothing() -> None:
    made = session()
    metadata = ask(made)
    assert values(feed(made, [delta("x", 1), created("x", metadata), delta("x", 2)])) == [1, 2]
    assert feed(made, [done("x")]) == [ReplyDone()]


def test_unannounced_response_after_an_interruption_stays_dead() -> None:
    """The create was interrupted before the server said anything about it."""
    made = session("compatible")
    ask(made)
    made.interrupt([], 10.5)
    assert values(feed(made, [delta("x", 1), delta("x", 2)])) == []
    assert [type(event) for event in made.to_send()] == [ev.CancelResponse]


@pytest.mark.parametrize("announced", [True, False])
def test_events_without_ids_belong_to_the_current_response(announced: bool) -> None:
    made = session("compatible")
    for turn in range(2):
        ask(made, 100.0 * turn)
        first: list[object] = [created("")] if announced else []
        emitted = feed(made, [*first, delta("", 1), delta("", 2), done("")], 100.0 * turn + 11)
        assert values(emitted) == [1, 2]
        assert emitted[-1] == ReplyDone()


def test_deltas_without_ids_after_an_interruption_are_dropped() -> None:
    made = session()
    metadata = ask(made)
    feed(made, [created("r", metadata), delta("", 1)])
    made.interrupt([], 12.0)
    made.append(VOICE)
    made.ask_for_reply(12.5)
    assert values(feed(made, [delta("", 2), done("r", "cancelled"), delta("", 3)], 13.0)) == []
    create = [event for event in made.to_send() if isinstance(event, ev.CreateResponse)][-1]
    assert isinstance(create.response, dict)
    emitted = feed(made, [created("s", create.response["metadata"]), delta("", 4)], 14.0)
    assert values(emitted) == [4]


def test_done_without_id_ends_the_current_response() -> None:
    made = session("compatible")
    ask(made)
    assert feed(made, [created("r"), delta("r", 1), done("")])[-1] == ReplyDone()


# --- functions ------------------------------------------------------------------------


def call(name: str, call_id: str | None = "call_0", **more: object) -> ev.Json:
    arguments = json.dumps(more.pop("arguments", {}))
    item = {"type": "function_call", "name": name, "call_id": call_id, "arguments": arguments}
    return {**item, "status": "completed", **more}


def item_done(item: ev.Json, index: int = 0) -> ev.OutputItemDone:
    return ev.OutputItemDone(response_id="r", item=item, output_index=index)


def called(emitted: list[SessionEvent]) -> list[tuple[str, object]]:
    return [(n.name, n.arguments) for n in emitted if isinstance(n, SkillCalled)]


def begun(server: Any = "openai") -> RealtimeSession:
    made = session(server)
    feed(made, [created("r", ask(made))])
    made.to_send()
    return made


def outputs(made: RealtimeSession) -> list[tuple[str, str]]:
    items = [event.item for event in made.to_send() if isinstance(event, ev.CreateItem)]
    return [(item["call_id"], item["output"]) for item in items]


def test_calls_with_one_constant_id_are_each_run_and_answered() -> None:
    made = begun()
    both = [call("lamp", arguments={"on": True}), call("lamp", arguments={"on": False})]
    emitted = feed(made, [item_done(both[0]), item_done(both[1], 1), done("r", output=both)])
    assert called(emitted) == [("lamp", {"on": True}), ("lamp", {"on": False})]
    handles = [n.call_id for n in emitted if isinstance(n, SkillCalled)]
    assert len(set(handles)) == 2
    made.skill_done(handles[1], "second", 12.0)
    made.skill_done(handles[0], "first", 12.1)
    sent = made.to_send()
    items = [event.item for event in sent if isinstance(event, ev.CreateItem)]
    assert [(i["call_id"], i["output"]) for i in items] == [
        ("call_0", "second"),
        ("call_0", "first"),
    ]
    assert [type(event) for event in sent].count(ev.CreateResponse) == 1


def test_call_id_used_again_in_the_next_response_is_run_again() -> None:
    made = begun()
    for turn in range(3):
        emitted = feed(made, [item_done(call("time")), done("r", output=[call("time")])])
        assert called(emitted) == [("time", {})]
        made.skill_done("call_0", f"answer {turn}", 12.0)
        sent = made.to_send()
        (item,) = [event.item for event in sent if isinstance(event, ev.CreateItem)]
        assert item["output"] == f"answer {turn}"
        (create,) = [event for event in sent if isinstance(event, ev.CreateResponse)]
        assert isinstance(create.response, dict)
        feed(made, [created("r", create.response["metadata"])])


def test_reused_call_id_ignores_the_interrupted_result() -> None:
    """The old function is still running when a new response calls one with the same id."""
    made = begun()
    feed(made, [item_done(call("slow")), done("r", output=[call("slow")])])
    made.interrupt([], 12.0)
    feed(made, [created("r", ask(made, 20.0))], 31.0)
    made.to_send()
    (new,) = [n for n in feed(made, [item_done(call("fast"))], 32.0) if isinstance(n, SkillCalled)]
    made.skill_done("call_0", "of the old one", 33.0)
    assert made.working
    made.skill_done(new.call_id, "of the new one", 33.5)
    assert outputs(made) == [("call_0", "of the old one"), ("call_0", "of the new one")]


ANNOUNCEMENTS = {
    "only in response.done": [done("r", output=[call("time")])],
    "only as an item": [item_done(call("time")), done("r")],
    "only as arguments": [
        ev.OutputItemAdded(
            response_id="r", item={"type": "function_call", "id": "f", "name": "time"}
        ),
        ev.FunctionCallArgumentsDone(
            response_id="r", item_id="f", call_id="call_0", arguments="{}"
        ),
        done("r"),
    ],
    "as arguments with a name": [
        ev.FunctionCallArgumentsDone(
            response_id="r", item_id="f", call_id="call_0", name="time", arguments="{}"
        ),
        done("r", output=[]),
    ],
    "everywhere": [
        ev.OutputItemAdded(
            response_id="r", item={"type": "function_call", "id": "f", "name": "time"}
        ),
        ev.FunctionCallArgumentsDone(
            response_id="r", item_id="f", call_id="call_0", name="time", arguments="{}"
        ),
        item_done(call("time", id="f")),
        done("r", output=[call("time", id="f")]),
    ],
    "without a status": [item_done(call("time", status=None)), done("r", output=[call("time")])],
    "in progress until the end": [
        item_done(call("time", status="in_progress")),
        done("r", output=[call("time", status="in_progress")]),
    ],
    "without a call id": [item_done(call("time", None, id="f")), done("r")],
}


@pytest.mark.parametrize("how", ANNOUNCEMENTS)
def test_call_is_run_once_however_it_is_announced(how: str) -> None:
    made = begun()
    emitted = feed(made, ANNOUNCEMENTS[how])
    assert called(emitted) == [("time", {})]
    (handle,) = [n.call_id for n in emitted if isinstance(n, SkillCalled)]
    made.skill_done(handle, "noon", 12.0)
    sent = made.to_send()
    assert [type(event) for event in sent] == [ev.CreateItem, ev.CreateResponse]


@pytest.mark.parametrize("status", ["incomplete", "cancelled", "failed"])
def test_call_of_an_incomplete_response_is_not_run(status: str) -> None:
    made = begun()
    half = call("time", status="incomplete")
    assert called(feed(made, [item_done(half), done("r", status, [half])])) == []


def test_reused_item_ids_within_one_reply_are_two_items() -> None:
    """A spoken preamble, a function, and the answer under the same item id."""
    made = begun()
    first = feed(made, [delta("r", 1), item_done(call("time")), done("r", output=[call("time")])])
    made.skill_done("call_0", "noon", 12.0)
    (create,) = [event for event in made.to_send() if isinstance(event, ev.CreateResponse)]
    assert isinstance(create.response, dict)
    second = feed(made, [created("s", create.response["metadata"]), delta("s", 2), done("s")])
    numbers = [n.response for n in [*first, *second] if isinstance(n, ReplyAudio)]
    assert len(set(numbers)) == 2


def test_late_answer_after_an_error_skips_the_next_turn() -> None:
    """The error named no event: the server still answers the first turn, but late."""
    made = session("compatible")
    ask(made)
    error = ev.ErrorDetail(code="rate_limit_exceeded", message="slow down")
    emitted = feed(made, [ev.ServerError(error=error)], 11.0)
    assert any(isinstance(each, ReplyDone) for each in emitted)
    made.append(VOICE)
    made.ask_for_reply(14.0)
    assert values(feed(made, [created("late"), delta("late", 7)], 14.5)) == []
    sent = made.to_send()
    assert [event.response_id for event in sent if isinstance(event, ev.CancelResponse)] == ["late"]
    feed(made, [done("late", "cancelled")], 15.0)
    made.poll(30.0)
    assert sum(isinstance(event, ev.CreateResponse) for event in made.to_send()) == 1
