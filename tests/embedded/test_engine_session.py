"""Settings, refusals and items of the embedded engine, without speech."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.embedded.engine_desk import Desk, Json, kinds, only, transcript

PCM_100_MS = base64.b64encode(bytes(4800)).decode()


def error(came: list[Json]) -> Any:
    return only(came, "error")["error"]


def update(desk: Desk, **session: Any) -> Any:
    return desk.send("session.update", session=session)


def test_update_changes_the_named_fields_and_returns_all(
    new_desk: Callable[..., Desk],
) -> None:
    desk = new_desk()
    detection = {"type": "server_vad", "create_response": False}
    came = update(
        desk,
        type="realtime",
        instructions="Be brief.",
        audio={"input": {"turn_detection": detection}, "output": {"voice": "marin"}},
    )
    session = only(came, "session.updated")["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"]["voice"] == "marin"
    assert session["audio"]["output"]["speed"] == 1.0
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": False,
        "interrupt_response": True,
    }
    again = {"type": "server_vad", "silence_duration_ms": 700}
    came = update(desk, type="realtime", audio={"input": {"turn_detection": again}})
    kept = only(came, "session.updated")["session"]["audio"]["input"]["turn_detection"]
    assert (kept["create_response"], kept["silence_duration_ms"]) == (False, 700)
    off = {"input": {"turn_detection": None}}
    came = update(desk, type="realtime", audio=off)
    assert only(came, "session.updated")["session"]["audio"]["input"]["turn_detection"] is None


def deep(value: Any, *path: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


IN, OUT = ("audio", "input"), ("audio", "output")
VAD = (*IN, "turn_detection")


@pytest.mark.parametrize(
    ("change", "code", "param", "words"),
    [
        ({}, "missing_required_parameter", "session.type",
         "Missing required parameter: 'session.type'."),
        ({"type": "transcription"}, "invalid_value", "session.type",
         "Invalid value: 'transcription'. Supported values are: 'realtime'."),
        ({"voice": "alloy"}, "unknown_parameter", "session.voice",
         "Unknown parameter: 'session.voice'."),
        (deep(1, *IN, "gain"), "unknown_parameter", "session.audio.input.gain", None),
        (deep({"type": "server_vad", "create_response": None}, *VAD), "invalid_type",
         "session.audio.input.turn_detection.create_response",
         "Invalid type for 'session.audio.input.turn_detection.create_response': "
         "expected a boolean, but got null instead."),
        (deep({"type": "semantic_vad", "threshold": 0.5}, *VAD), "unknown_parameter",
         "session.audio.input.turn_detection.threshold", None),
        (deep({"type": "server_vad", "idle_timeout_ms": 5000}, *VAD), "invalid_value",
         "session.audio.input.turn_detection.idle_timeout_ms", None),
        (deep({"type": "server_vad", "threshold": 1.5}, *VAD), "decimal_above_max_value",
         "session.audio.input.turn_detection.threshold", None),
        (deep({"type": "audio/pcm", "rate": 16000}, *IN, "format"), "integer_below_min_value",
         "session.audio.input.format.rate",
         "Invalid 'session.audio.input.format.rate': integer below minimum value. "
         "Expected a value >= 24000, but got 16000 instead."),
        (deep({"type": "audio/pcmu"}, *OUT, "format"), "invalid_value",
         "session.audio.output.format.type", None),
        (deep("robot", *OUT, "voice"), "invalid_value", "session.audio.output.voice", None),
        (deep(["audio", "text"], "output_modalities"), "integer_above_max_value",
         "session.output_modalities", None),
        (deep("other", "model"), "invalid_value", "session.model", None),
        (deep("7", "max_output_tokens"), "invalid_value", "session.max_output_tokens", None),
        (deep([{"name": "x"}], "tools"), "missing_required_parameter", "session.tools[0].type",
         None),
        (deep(7, "instructions"), "invalid_type", "session.instructions",
         "Invalid type for 'session.instructions': expected a string, but got an integer instead."),
    ],
)  # fmt: skip
def test_wrong_update_is_refused_as_a_whole(
    new_desk: Callable[..., Desk], change: Any, code: str, param: str | None, words: str
) -> None:
    desk = new_desk()
    before = only(update(desk, type="realtime"), "session.updated")["session"]
    session = {"instructions": "taken over?", **change}
    if change and "type" not in change:
        session["type"] = "realtime"
    came = desk.send("session.update", session=session, event_id="u1")
    assert kinds(came) == ["error"]
    refused = error(came)
    assert (refused["code"], refused["param"]) == (code, param)
    assert (refused["type"], refused["event_id"]) == ("invalid_request_error", "u1")
    if words:
        assert refused["message"] == words
    assert only(update(desk, type="realtime"), "session.updated")["session"] == before


def test_voice_is_locked_after_the_first_audio(desk: Desk) -> None:
    voice = {"output": {"voice": "cedar"}}
    assert kinds(update(desk, type="realtime", audio=voice)) == ["session.updated"]
    desk.ask("hello")
    assert kinds(update(desk, type="realtime", audio=voice)) == ["session.updated"]
    came = update(desk, type="realtime", audio={"output": {"voice": "ash"}})
    assert error(came)["code"] == "cannot_update_voice"
    assert error(came)["message"] == (
        "Cannot update a conversation's voice if assistant audio is present."
    )


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("{not json", "invalid_json", None),
        ("[1, 2]", "invalid_json", None),
        (b"\x00\x01", "invalid_event", None),
        ('{"event_id": "e"}', "missing_required_parameter", "type"),
        ('{"type": "nope"}', "invalid_value", "type"),
        ('{"type": "response.clear"}', "invalid_value", "type"),
        ('{"type": "session.update"}', "missing_required_parameter", "session"),
        ('{"type": "response.create", "response": []}', "invalid_type", "response"),
        ('{"type": "conversation.item.delete", "item_id": 7}', "invalid_type", "item_id"),
        ('{"type": "input_audio_buffer.append", "audio": "%%%"}', "invalid_value", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', "invalid_value", "audio"),
        ('{"type": "response.create", "response": {"speed": 2}}', "unknown_parameter",
         "response.speed"),
    ],
)  # fmt: skip
def test_invalid_event_is_refused_and_the_conversation_continues(
    desk: Desk, frame: Any, code: str, param: str | None
) -> None:
    came = desk.raw(frame)
    assert kinds(came) == ["error"]
    assert (error(came)["code"], error(came)["param"]) == (code, param)
    assert transcript(desk.ask("what time is it")) == "It is 3:05 PM."


def test_unknown_type_is_answered_with_the_known_ones(desk: Desk) -> None:
    message = error(desk.send("nope"))["message"]
    assert message.startswith("Invalid value: 'nope'. Supported values are: 'session.update', ")
    assert message.endswith(", and 'response.cancel'.")


@pytest.mark.parametrize("held_ms", [0, 20, 99])
def test_too_small_commit_has_the_text_of_the_service(desk: Desk, held_ms: int) -> None:
    audio = base64.b64encode(bytes(held_ms * 48)).decode()
    desk.send("input_audio_buffer.append", audio=audio)
    assert error(desk.send("input_audio_buffer.commit")) == {
        "type": "invalid_request_error",
        "code": "input_audio_buffer_commit_empty",
        "message": "Error committing input audio buffer: buffer too small. Expected at least "
        f"100ms of audio, but buffer only has {held_ms}.00ms of audio.",
        "param": None,
        "event_id": None,
    }


def test_clear_empties_the_buffer(desk: Desk) -> None:
    desk.send("input_audio_buffer.append", audio=PCM_100_MS)
    assert kinds(desk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert error(desk.send("input_audio_buffer.commit"))["message"].endswith("has 0.00ms of audio.")


def test_commit_makes_an_item_and_silence_is_not_understood(desk: Desk) -> None:
    desk.send("input_audio_buffer.append", audio=PCM_100_MS)
    came = desk.send("input_audio_buffer.commit")
    assert kinds(came) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    item = only(came, "conversation.item.added")["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]
    assert only(came, "input_audio_buffer.committed")["item_id"] == item["id"]
    assert transcript(desk.send("response.create")).startswith("Sorry, I did not understand")


def message(role: str, kind: str, text: str, **more: Any) -> Any:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **more}


def test_items_keep_their_order_and_name_the_item_before(desk: Desk) -> None:
    def create(item_id: str, **where: Any) -> Any:
        item = message("user", "input_text", "hello", id=item_id)
        came = desk.send("conversation.item.create", item=item, **where)
        return only(came, "conversation.item.added")["previous_item_id"]

    assert create("a") is None
    assert create("c") == "a"
    assert create("b", previous_item_id="a") == "a"
    assert create("first", previous_item_id="root") is None
    assert create("last") == "c"
    came = desk.send(
        "conversation.item.create",
        item=message("user", "input_text", "x"),
        previous_item_id="gone",
    )
    assert error(came)["code"] == "item_create_invalid_item_id"
    twice = desk.send("conversation.item.create", item=message("user", "input_text", "x", id="a"))
    assert error(twice)["param"] == "item.id"


def test_items_of_all_kinds_come_back_on_retrieve(desk: Desk) -> None:
    items = [
        message("user", "input_text", "hello", id="u"),
        message("system", "input_text", "Be brief.", id="s"),
        message("assistant", "output_text", "Hi.", id="a"),
        {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"},
        {"type": "function_call_output", "id": "o", "call_id": "c", "output": "done"},
        {
            "type": "message",
            "role": "user",
            "id": "w",
            "content": [{"type": "input_audio", "audio": PCM_100_MS}],
        },
    ]
    for item in items:
        desk.send("conversation.item.create", item=item)
        came = desk.send("conversation.item.retrieve", item_id=item["id"])
        back = only(came, "conversation.item.retrieved")["item"]
        for key, value in item.items():
            if key == "content":
                for part, given in zip(back[key], value, strict=True):
                    assert given.items() <= part.items()
            else:
                assert back[key] == value


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "poem"}, "invalid_value", "item.type"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        (message("robot", "input_text", "x"), "invalid_value", "item.role"),
        (message("assistant", "output_audio", "x"), "invalid_value", "item.content[0].type"),
        (message("user", "input_text", 7), "invalid_type", "item.content[0].text"),  # type: ignore[arg-type]
        ({"type": "function_call_output", "output": "x"}, "missing_required_parameter",
         "item.call_id"),
        ({"type": "message", "role": "user",
          "content": [{"type": "input_audio", "audio": "?"}]}, "invalid_value",
         "item.content[0].audio"),
    ],
)  # fmt: skip
def test_wrong_items_are_refused(desk: Desk, item: Any, code: str, param: str | None) -> None:
    came = desk.send("conversation.item.create", item=item)
    assert (error(came)["code"], error(came)["param"]) == (code, param)


@pytest.mark.parametrize("verb", ["retrieve", "delete"])
def test_unknown_items_are_refused(desk: Desk, verb: str) -> None:
    came = desk.send(f"conversation.item.{verb}", item_id="gone")
    assert error(came)["code"] == f"item_{verb}_invalid_item_id"
    assert error(came)["message"].endswith("item: the item with id 'gone' does not exist.")
