"""If a field of a server's event is missing, null or of another type, the others are still read."""

import base64
import json
from typing import Any

import pytest

from parleyd.realtime import events as ev

Json = dict[str, Any]

PART = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
PCM = bytes(range(256)) * 3
BASE64 = base64.b64encode(PCM).decode()


def read(**event: object) -> ev.ServerEvent:
    found = ev.decode_server(json.dumps(event))
    assert isinstance(found, ev.ServerEvent), found
    return found


def delta(audio: object, **fields: object) -> ev.AudioDelta:
    event = PART | fields | {"type": "response.output_audio.delta", "delta": audio}
    found = read(**event)
    assert isinstance(found, ev.AudioDelta)
    return found


def done(**response: object) -> ev.Response:
    found = read(type="response.done", response={"id": "r", "status": "completed"} | response)
    assert isinstance(found, ev.ResponseDone)
    return found.response


def error(*, beside: Json | None = None, **event: object) -> tuple[str | None, str | None]:
    """The code and the message of an error event."""
    found = read(**{"type": "error"} | event | (beside or {}))
    assert isinstance(found, ev.ServerError)
    return found.error.code, found.error.message


# --- every field of every event -------------------------------------------------------

OTHER_VALUES: list[Any] = [
    None, True, 0, -1, 7, 2**70, 1.5, "", "7", "text", "x" * 300, [], [None], [[]], {}, {"a": None},
]  # fmt: skip


@pytest.mark.parametrize("kind", sorted(ev.SERVER_EVENTS))
def test_event_with_any_field_of_any_type_is_read(kind: str) -> None:
    """Audio is the exception: a delta that is not base64 is refused."""
    whole: Json = {"type": kind, "event_id": "e"}
    for name in ev.SERVER_EVENTS[kind].__struct_fields__:
        whole |= {name: {} if name in ("item", "response", "session", "error") else "x"}
    if kind.endswith("audio.delta"):
        whole["delta"] = BASE64
    for name in list(whole):
        if name == "type":
            continue
        for value in OTHER_VALUES:
            found = ev.decode_server(json.dumps(whole | {name: value}))
            if name == "delta" and kind.endswith("audio.delta"):
                assert isinstance(found, ev.AudioDelta | ev.Malformed)
            else:
                assert isinstance(found, ev.SERVER_EVENTS[kind]), (name, value, found)
        found = ev.decode_server(json.dumps({k: v for k, v in whole.items() if k != name}))
        assert isinstance(found, ev.SERVER_EVENTS[kind]), (name, found)


@pytest.mark.parametrize("kind", sorted(ev.SERVER_EVENTS))
def test_event_with_only_a_type_is_read(kind: str) -> None:
    assert isinstance(ev.decode_server(json.dumps({"type": kind})), ev.SERVER_EVENTS[kind])


# --- numbers, ids and names -----------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "index"),
    [
        (2, 2),
        ("2", 2),
        (2.0, 2),
        (" 2 ", 2),
        ("2.0", 2),
        (None, 0),
        ([], 0),
        ("two", 0),
        (1e300, 0),
    ],
)
def test_index_in_another_notation_is_the_same_number(value: object, index: int) -> None:
    assert delta(BASE64, content_index=value).content_index == index


@pytest.mark.parametrize(
    ("value", "ms"), [(1456, 1456), (1456.7, 1456), ("1456", 1456), (None, 0), ({}, 0)]
)
def test_time_of_speech_in_other_notations_is_read(value: object, ms: int) -> None:
    found = read(type="input_audio_buffer.speech_started", audio_start_ms=value, item_id="i")
    assert found == ev.SpeechStarted(audio_start_ms=ms, item_id="i")


@pytest.mark.parametrize(
    ("value", "read_as"), [(7, "7"), ("7", "7"), (None, ""), ({}, ""), ([], "")]
)
def test_id_of_another_type_is_its_digits_or_none(value: object, read_as: str) -> None:
    found = delta(BASE64, response_id=value, item_id=value)
    assert (found.response_id, found.item_id) == (read_as, read_as)


def test_long_ids_stay_distinct_in_200_characters() -> None:
    names = ["x" * 200, "x" * 201, "x" * 202, "x" * 1_000_000, "x" * 1_000_000 + "y"]
    ids = [delta(BASE64, item_id=name).item_id for name in names]
    assert ids[0] == "x" * 200
    assert len(set(ids)) == 5
    assert max(map(len, ids)) <= 200
    assert [delta(BASE64, item_id=name).item_id for name in names] == ids


@pytest.mark.parametrize(
    "name",
    ["response.output_audio.delta", "response.audio.delta", "RESPONSE.AUDIO.DELTA",
     "Response.Output_Audio.Delta", " response.audio.delta "],
)  # fmt: skip
def test_name_in_beta_or_upper_case_is_the_same_event(name: str) -> None:
    assert read(**PART, type=name, delta=BASE64) == ev.AudioDelta(
        response_id="r", item_id="i", delta=PCM
    )


@pytest.mark.parametrize(
    ("beta", "kind"),
    [
        ("response.text.delta", ev.TextDelta),
        ("response.text.done", ev.TextDone),
        ("response.audio_transcript.done", ev.TranscriptDone),
        ("response.function_call_arguments.delta", ev.FunctionCallArgumentsDelta),
        ("response.function_call_arguments.done", ev.FunctionCallArgumentsDone),
        ("response.content_part.added", ev.ContentPartAdded),
        ("response.content_part.done", ev.ContentPartDone),
        ("conversation.item.created", ev.ItemAdded),
        ("conversation.item.input_audio_transcription.completed", ev.InputTranscript),
        ("conversation.item.input_audio_transcription.failed", ev.InputTranscriptFailed),
    ],
)
def test_beta_name_gives_the_event_of_today(beta: str, kind: type[ev.ServerEvent]) -> None:
    assert isinstance(read(**PART, type=beta, delta="x"), kind)


# --- frames ---------------------------------------------------------------------------

CREATED = '{"type":"response.created","response":{"id":"r"}}'


@pytest.mark.parametrize(
    "frame",
    [
        CREATED.encode(),
        bytearray(b"\xef\xbb\xbf" + CREATED.encode()),
        "\ufeff" + CREATED,
        ("\ufeff" + CREATED).encode(),
        CREATED + "\n",
        CREATED + "\r\n\0",
        CREATED[:-1] + ',"temperature":NaN}',
        CREATED[:-1] + ',"note":"half a pair: \\ud83d"}',
        CREATED[:-1] + ',"note":"a line\nbreak"}',
        CREATED.encode()[:-1] + b',"note":"\xff"}',
        CREATED[:-1] + ',"type":"response.created"}',
    ],
)
def test_frame_with_an_oddity_around_its_event_is_read(frame: str | bytes) -> None:
    found = ev.decode_server(frame)
    assert isinstance(found, ev.ResponseCreated)
    assert found.response.id == "r"


def test_text_with_half_a_surrogate_pair_can_be_encoded() -> None:
    found = ev.decode_server(
        '{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i",'
        '"delta":"so \\ud83d\\ude00 and \\ud83d, and \\\\ud83d"}'
    )
    assert isinstance(found, ev.TranscriptDelta)
    assert found.delta == "so 😀 and �, and \\ud83d"
    assert found.delta.encode()


# --- audio ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        BASE64,
        "\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)) + "\n",
        "\r\n".join(BASE64[at : at + 5] for at in range(0, len(BASE64), 5)),
        BASE64.rstrip("="),
        BASE64 + "==",
        BASE64.replace("+", "-").replace("/", "_"),
        BASE64.replace("+", "-"),
        f" {BASE64}\t",
        f"data:audio/pcm;rate=24000;base64,{BASE64}",
        base64.b64encode(PCM[:100]).decode() + base64.b64encode(PCM[100:]).decode(),
        base64.urlsafe_b64encode(PCM[:100]).decode().rstrip("=") + "=\n" + base64.b64encode(
            PCM[100:]).decode().rstrip("="),
        BASE64 + "A",
    ],
)  # fmt: skip
def test_base64_of_any_form_is_the_same_audio(text: str) -> None:
    assert delta(text).delta == PCM


def test_base64_with_escapes_is_the_same_audio() -> None:
    text = json.dumps(PART | {"type": "response.audio.delta", "delta": BASE64})
    odd = text.replace("/", "\\/").replace("+", "\\u002B").replace("=", "\\u003d")
    found = ev.decode_server(odd)
    assert isinstance(found, ev.AudioDelta)
    assert found.delta == PCM


@pytest.mark.parametrize("size", [0, 1, 2, 3, 48_000, 49_151, 49_152, 49_153, 3_000_001])
def test_audio_of_any_length_is_read_whole(size: int) -> None:
    pcm = (PCM * (size // len(PCM) + 1))[:size]
    text = base64.b64encode(pcm).decode()
    for form in (text, text.rstrip("="), "\n".join([text[:70_001], text[70_001:]])):
        assert delta(form).delta == pcm


@pytest.mark.parametrize(
    "text", ["AAA*AAAA", "äöü", "AAAA\\nAAAA", "{}", 5, [1, 2], {"a": 1}, True]
)
def test_audio_that_is_not_base64_is_refused(text: object) -> None:
    found = ev.decode_server(
        json.dumps(PART | {"type": "response.output_audio.delta", "delta": text})
    )
    assert isinstance(found, ev.Malformed)
    assert "base64" in found.reason


@pytest.mark.parametrize("field", ["delta", "audio", "data"])
def test_audio_under_another_name_is_read(field: str) -> None:
    found = read(**PART, type="response.audio.delta", **{field: BASE64})
    assert isinstance(found, ev.AudioDelta)
    assert found.delta == PCM


def test_empty_delta_has_no_audio() -> None:
    assert delta(None).delta == delta("").delta == b""


# --- responses and items --------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "read_as"),
    [
        ("unimplemented", None),
        (None, None),
        (3, None),
        ([], None),
        ("turn_detected", {"reason": "turn_detected"}),
        ({"type": "cancelled", "reason": "TURN_DETECTED"},
         {"type": "cancelled", "reason": "turn_detected"}),
        ([{"reason": "content_filter"}], {"reason": "content_filter"}),
        ({"error": "out of memory"}, {"error": {"message": "out of memory"}}),
        ({"error": {"code": 500, "message": ["a", "b"]}},
         {"error": {"code": "500", "message": "a; b"}}),
    ],
)  # fmt: skip
def test_status_details_of_any_type_are_read(details: object, read_as: Json | None) -> None:
    assert done(status_details=details).status_details == read_as


def test_reasons_of_the_responses_api_are_read() -> None:
    found = done(
        status="failed",
        error={"code": "server_error", "message": "oh"},
        incomplete_details={"reason": "max_output_tokens"},
    )
    assert found.status_details == {
        "reason": "max_output_tokens",
        "error": {"code": "server_error", "message": "oh"},
    }


@pytest.mark.parametrize(
    ("status", "read_as"),
    [
        ("canceled", "cancelled"),
        ("COMPLETED", "completed"),
        ("done", "completed"),
        (None, None),
        ("hologram", None),
        (7, None),
    ],
)
def test_status_in_other_words_is_read(status: object, read_as: str | None) -> None:
    assert done(status=status).status == read_as


CALL = {"type": "function_call", "id": "i", "call_id": "c", "name": "tell_time", "arguments": "{}"}


@pytest.mark.parametrize(
    ("output", "calls"),
    [([CALL, None], 1), ([None, 3, "x", CALL], 1), (CALL, 1), ({}, 0), (None, 0), ("x", 0)],
)
def test_output_with_anything_in_it_keeps_its_items(output: object, calls: int) -> None:
    assert [item["name"] for item in done(output=output).output or []] == ["tell_time"] * calls


def test_item_fields_of_another_type_become_texts() -> None:
    odd = {"type": "FUNCTION_CALL", "status": "Completed", "id": 3, "call_id": 7, "name": 5,
           "arguments": {"minutes": 5}}  # fmt: skip
    found = read(type="response.output_item.done", response_id="r", item=odd)
    assert isinstance(found, ev.OutputItemDone)
    assert found.item == {
        "type": "function_call", "status": "completed", "id": "3", "call_id": "7", "name": "5",
        "arguments": '{"minutes": 5}',
    }  # fmt: skip


def test_big_item_keeps_the_used_fields() -> None:
    tools = [{"name": f"tool{number}", "description": "x" * 100} for number in range(500)]
    item = {"id": "m", "type": "mcp_list_tools", "server_label": "home", "tools": tools}
    found = read(type="conversation.item.done", item=item)
    assert isinstance(found, ev.ItemDone)
    assert found.item == {"id": "m", "type": "mcp_list_tools", "server_label": "home"}


def test_item_with_its_speech_inside_is_read() -> None:
    """LocalAI repeats the audio of the whole answer in the item."""
    content = [{"type": "output_audio", "transcript": "Hi.", "audio": BASE64 * 2000}]
    item = {"id": "m", "type": "message", "status": "completed", "content": content}
    found = read(type="response.output_item.done", response_id="r", item=item)
    assert isinstance(found, ev.OutputItemDone)
    assert {k: v for k, v in found.item.items() if k != "content"} == {
        "id": "m", "type": "message", "status": "completed",
    }  # fmt: skip


def test_metadata_that_came_back_as_a_number_is_text() -> None:
    found = read(type="response.created", response={"id": "r", "metadata": {"parley_turn": 7}})
    assert isinstance(found, ev.ResponseCreated)
    assert found.response.metadata == {"parley_turn": "7"}


@pytest.mark.parametrize(
    "event",
    [
        {"response_id": "r"}, {"response": {}, "response_id": "r"},
        {"response": None, "response_id": "r"}, {"response": {"id": None}, "response_id": "r"},
    ],
)  # fmt: skip
def test_response_given_as_an_id_is_read(event: Json) -> None:
    found = read(type="response.done", **event)
    assert isinstance(found, ev.ResponseDone)
    assert found.response.id == "r"


@pytest.mark.parametrize(
    ("name", "status"),
    [("response.cancelled", "cancelled"), ("response.canceled", "cancelled"),
     ("response.failed", "failed"), ("response.completed", "completed"),
     ("response.incomplete", "incomplete")],
)  # fmt: skip
def test_end_of_a_response_under_its_status_is_an_end(name: str, status: str) -> None:
    for response in ({"id": "r"}, {"id": "r", "status": "in_progress"}):
        found = read(type=name, response=response)
        assert isinstance(found, ev.ResponseDone)
        assert (found.response.id, found.response.status) == ("r", status)


@pytest.mark.parametrize("expires", [1784668573, "1784668573", 1784668573.0])
def test_session_keeps_its_end_and_its_audio_format(expires: object) -> None:
    audio = {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}
    for instructions in ("Be brief.", "Be brief. " * 10_000):
        session = {"expires_at": expires, "instructions": instructions, "audio": audio}
        found = read(type="session.updated", session=session)
        assert isinstance(found, ev.SessionUpdated)
        assert found.session["expires_at"] == 1784668573
        assert found.session["audio"]["output"] == audio["output"]


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "beside", "code", "message"),
    [
        ({"type": "a", "code": "b", "message": "m"}, {}, "b", "m"),
        ("text", {}, None, "text"),
        ("text", {"code": "b"}, "b", "text"),
        (None, {"message": "m", "code": 401}, "401", "m"),
        (None, {"detail": "m", "status": 429}, "429", "m"),
        (None, {}, None, None),
        (401, {}, "401", None),
        (True, {"message": "m"}, None, "m"),
        (["a", "b"], {}, None, "a; b"),
        ([{"code": "b", "message": "m"}], {}, "b", "m"),
        ([None, {"message": "m"}], {"code": "b"}, "b", "m"),
        ([], {"message": "m"}, None, "m"),
        ({"code": 401, "message": ["x", "y"]}, {}, "401", "x; y"),
        ({"code": None, "message": {"text": "x"}}, {}, None, '{"text": "x"}'),
        ({"error": {"code": "b", "message": "m"}}, {}, "b", "m"),
        ({"msg": "m", "status_code": "500"}, {}, "500", "m"),
    ],
)
def test_error_in_any_form_has_code_and_message(
    given: object, beside: Json, code: str | None, message: str | None
) -> None:
    assert error(error=given, beside=beside) == (code, message)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "invalid_request_error", "code": "b", "message": "m"},
        {"error": {"code": "b", "message": "m"}},
        {"code": "b", "message": "m"},
        {"type": "ERROR", "error": {"code": "b", "message": "m"}},
    ],
)
def test_error_without_its_envelope_is_an_error(event: Json) -> None:
    found = read(**event)
    assert isinstance(found, ev.ServerError)
    assert (found.error.code, found.error.message) == ("b", "m")


def test_error_texts_are_bounded() -> None:
    long = "c" * 3_000_000
    found = read(type="error", error={"type": long, "code": long, "message": long, "param": long})
    assert isinstance(found, ev.ServerError)
    detail = found.error
    sizes = [len(part or "") for part in (detail.type, detail.code, detail.message, detail.param)]
    assert sizes == [200, 200, 1000, 200]


# --- xAI's events ---------------------------------------------------------------------


def test_usage_beside_the_response_is_its_usage() -> None:
    found = read(
        type="response.done",
        response={"id": "r", "status": "completed", "usage": {}},
        usage={"input_tokens": 7},
    )
    assert isinstance(found, ev.ResponseDone)
    assert found.response.usage == {"input_tokens": 7}


def test_transcript_that_will_be_repeated_is_marked() -> None:
    name = "conversation.item.input_audio_transcription.completed"
    found = read(type=name, item_id="i", transcript="Hello?", status="in_progress")
    assert isinstance(found, ev.InputTranscript)
    assert (found.transcript, found.status) == ("Hello?", "in_progress")
    assert "status" not in json.loads(ev.encode(ev.InputTranscript(item_id="i")))


# --- bounds ---------------------------------------------------------------------------


def test_frame_of_a_million_objects_is_refused_unread() -> None:
    objects = ",".join(['{"a":1}'] * 1_000_000)
    found = ev.decode_server(f'{{"type":"conversation.item.added","item":{{"x":[{objects}]}}}}')
    assert found == ev.Malformed("it has more than 10,000 parts")


def test_texts_of_any_length_are_cut() -> None:
    long = "word " * 500_000
    found = read(type="conversation.item.input_audio_transcription.completed", transcript=long)
    assert isinstance(found, ev.InputTranscript)
    assert len(found.transcript) == 16_384
    unknown = ev.decode_server(json.dumps({"type": long}))
    assert isinstance(unknown, ev.Unknown)
    assert len(unknown.type) <= 200
