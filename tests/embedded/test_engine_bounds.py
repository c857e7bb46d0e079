"""The embedded engine's limits on messages, and on the conversation that it stores."""

import base64
import json
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import pytest

from parleyd.embedded import decoding, limits
from parleyd.embedded.conversation import Conversation
from parleyd.embedded.decoding import Utf8
from parleyd.embedded.items import Item
from parleyd.embedded.pieces import pieces, weight
from parleyd.embedded.stories import STORIES
from parleyd.realtime.events import AppendAudio, encode
from parleyd.units import SILENCE
from tests.embedded.engine_desk import MANUAL, Desk, audio, kinds, only, transcript

PARAMETERS = {"type": "object", "properties": {}}


def deep(levels: int) -> bytes:
    return (
        b'{"type": "session.update", "session": ' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )


def session(**fields: Any) -> bytes:
    return json.dumps(
        {"type": "session.update", "session": {"type": "realtime", **fields}}
    ).encode()


ODD = {
    "deep": (deep(400), "invalid_json"),
    "deeper_than_the_stack": (deep(40_000), "invalid_json"),
    "brackets": (b"[" * 1_000_000, "too_large"),
    "lone_surrogate": (
        b'{"type": "conversation.item.delete", "item_id": "\\ud800"}', "invalid_json",
    ),
    "no_utf8": (b'{"type": "conversation.item.delete", "item_id": "\xff"}', "invalid_json"),
    "long_id": (
        b'{"type": "conversation.item.delete", "item_id": "' + b"a" * 513 + b'"}',
        "string_above_max_length",
    ),
    "long_item_id": (
        json.dumps({
            "type": "conversation.item.create",
            "item": {"id": "i" * 513, "type": "message", "role": "user", "content": []},
        }).encode(),
        "string_above_max_length",
    ),
    "long_type": (b'{"type": "' + b"a" * 100_000 + b'"}', "invalid_value"),
    "long_field": (
        b'{"type": "response.create", "response": {"' + b"a" * 100_000 + b'": 1}}',
        "unknown_parameter",
    ),
    "long_metadata": (
        b'{"type": "response.create", "response": {"metadata": {"a": "' + b"a" * 513 + b'"}}}',
        "string_above_max_length",
    ),
    "wide_metadata": (
        json.dumps({
            "type": "response.create",
            "response": {"metadata": {str(n): "x" for n in range(17)}},
        }).encode(),
        "integer_above_max_value",
    ),
    "metadata_of_numbers": (
        b'{"type": "response.create", "response": {"metadata": {"a": 1}}}', "invalid_type",
    ),
    "long_integer": (
        b'{"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, '
        b'"audio_end_ms": ' + b"9" * 5_000 + b"}",
        "invalid_json",
    ),
    "long_number": (
        session(audio={"output": {"speed": 10**300}}), "integer_above_max_value",
    ),
    "long_instructions": (session(instructions="a" * 262_145), "string_above_max_length"),
    "long_text": (
        json.dumps({
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "a" * 200_000}] * 2,
            },
        }).encode(),
        "string_above_max_length",
    ),
    "large_settings": (
        session(tools=[
            {"type": "function", "name": f"f{n}", "description": "d" * 5_000,
             "parameters": PARAMETERS}
            for n in range(60)
        ]),
        "too_large",
    ),
    "many_tools": (
        session(tools=[{"type": "function", "name": f"f{n}"} for n in range(129)]),
        "integer_above_max_value",
    ),
    "large_event": (
        b'{"type": "response.cancel", "x": "' + b"a" * 1_100_000 + b'"}', "too_large",
    ),
    "many_values": (
        b'{"type": "conversation.item.create", "item": {"x": [' + b"[]," * 60_000 + b"0]}}",
        "too_large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_message_is_refused_in_a_few_words(desk: Desk, name: str) -> None:
    payload, code = ODD[name]
    came = desk.raw(Utf8(payload))  # type: ignore[arg-type]
    assert kinds(came) == ["error"]
    assert came[0]["error"]["code"] == code
    assert len(json.dumps(came[0])) < 1_500
    assert transcript(desk.ask("what time is it")) == "It is 3:05 PM."


def test_refusal_of_a_large_message_names_its_event_id(desk: Desk) -> None:
    payload = b'{"event_id": "mine", "type": "response.cancel", "x": "' + b"a" * 1_100_000 + b'"}'
    assert only(desk.raw(Utf8(payload)), "error")["error"]["event_id"] == "mine"  # type: ignore[arg-type]


def test_settings_below_the_limit_are_accepted(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk()
    came = desk.raw(Utf8(session(instructions="a" * 200_000)))  # type: ignore[arg-type]
    assert kinds(came) == ["session.updated"]
    # together they are too large, although each event is not
    tools = [{"type": "function", "name": "f", "description": "d" * 100_000}]
    came = desk.raw(Utf8(session(tools=tools)))  # type: ignore[arg-type]
    assert came[0]["error"]["code"] == "too_large"
    assert only(desk.raw(Utf8(session())), "session.updated")["session"]["tools"] == []  # type: ignore[arg-type]


def test_conversation_keeps_4_mb_of_words_and_the_newest_item() -> None:
    conversation = Conversation()
    for number in range(40):
        conversation.add(Item(id=f"i{number}", text="a" * 250_000))
    kept = [item.id for item in conversation]
    assert kept == [f"i{number}" for number in range(24, 40)]  # 16 of 250 KB
    wide = Item(id="wide", text="a" * 1_200_000 + "\U0001f600")  # four bytes for each letter
    conversation.add(wide, "root")
    assert [item.id for item in conversation] == ["wide"]
    conversation.add(Item(id="next"))
    assert [item.id for item in conversation] == ["next"]


def test_conversation_keeps_6_mb_of_audio() -> None:
    conversation = Conversation()
    for number in range(9):
        item = Item(id=f"i{number}", content_type="input_audio")
        item.add_audio(bytes(1 << 20))
        conversation.add(item)
    conversation.shed_audio()
    assert [len(item.pcm) >> 20 for item in conversation] == [0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_utterances_beyond_eight_fail_instead_of_waiting(desk: Desk) -> None:
    desk.by_hand = True
    second = base64.b64encode(bytes(48_000)).decode()
    desk.send("session.update", session=MANUAL | {
        "audio": {"input": {"turn_detection": None, "transcription": {"model": "any"}}}
    })  # fmt: skip
    failed = []
    for _ in range(10):
        desk.send("input_audio_buffer.append", audio=second)
        came = desk.send("input_audio_buffer.commit")
        failed += [e for e in came if e["type"].endswith("transcription.failed")]
    assert len(desk.jobs) == 8
    assert len(failed) == 2
    assert "Too many utterances" in failed[0]["error"]["message"]


def test_newest_30_s_of_an_utterance_are_recognised(desk: Desk) -> None:
    desk.by_hand = True
    for second in range(40):
        desk.send(
            "input_audio_buffer.append",
            audio=base64.b64encode(bytes([second, 0]) * 24_000).decode(),
        )
    desk.send("input_audio_buffer.commit")
    (job,) = desk.jobs
    assert len(job.pcm) == 30 * 48_000  # type: ignore[union-attr]
    assert job.pcm[:2] == bytes([10, 0])  # type: ignore[union-attr]


def test_long_append_is_handled_in_pieces_of_a_second() -> None:
    pcm = bytes(range(256)) * 800  # 4.3 s
    pieces_of_it = decoding.pieces(Utf8(encode(AppendAudio(audio=pcm)).encode()))
    parts = [decoding.read(piece) for piece in pieces_of_it]
    assert [len(part.audio) for part in parts] == [48_000] * 4 + [204_800 - 4 * 48_000]  # type: ignore[attr-defined]
    assert b"".join(part.audio for part in parts) == pcm  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "frame",
    [
        Utf8(b'{"type": "input_audio_buffer.append", "audio": "' + b"A" * 300_001 + b'"}'),
        Utf8(b'{"type": "nope", "audio": "' + b"A" * 300_000 + b'"}'),
        Utf8(b"[" * 300_000),
        Utf8(encode(AppendAudio(audio=bytes(960))).encode()),
        bytes(300_000),
    ],
    ids=["no_base64", "other_type", "no_json", "short", "binary"],
)
def test_all_other_messages_stay_whole(frame: Any) -> None:
    assert decoding.pieces(frame) == [frame]


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("", 0),
        ("It is 3:05 PM.", 1),
        ("9" * 24, 1),
        ("9" * 240, 10),
        ("the cat sat on the mat " * 20, 2),
        ("a" * 240, 2),
        ("bcd " * 60, 8),
        ("%" * 48, 2),
    ],
)
def test_slow_sentence_is_cut_into_pieces(sentence: str, count: int) -> None:
    cut = list(pieces(sentence))
    assert len(cut) == count
    assert "".join(cut).replace(" ", "") == sentence.replace(" ", "")
    for piece in cut:
        assert sum(map(weight, piece.split())) <= limits.MOST_SPEECH_WEIGHT
        assert list(pieces(piece)) == [piece]


def test_every_sentence_of_the_stories_is_one_piece() -> None:
    for story in STORIES.values():
        for sentence in story:
            assert list(pieces(sentence)) == [sentence]


def returned(desk: Desk, output: Any) -> Any:
    """Answer a call that was never made with `output`, and request a response."""
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
    desk.send("conversation.item.create", item=call)
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    desk.send("conversation.item.create", item=item)
    return desk.send("response.create")


def test_long_sentence_is_spoken_whole_in_pieces(desk: Desk) -> None:
    words = "the quick brown fox jumps over the lazy dog and goes home " * 8
    came = returned(desk, words)
    deltas = [e["delta"] for e in came if e["type"] == "response.output_audio_transcript.delta"]
    assert len(deltas) == 2
    assert "".join(deltas) == words.strip() == transcript(came)
    assert only(came, "response.done")["response"]["status"] == "completed"


def test_answer_ends_incomplete_after_205_s(desk: Desk) -> None:
    came = returned(desk, "9" * 2_000 + ".")  # about 9 minutes
    done = only(came, "response.done")["response"]
    assert (done["status"], done["status_details"]) == (
        "incomplete", {"type": "incomplete", "reason": "max_output_tokens"},
    )  # fmt: skip
    seconds = len(audio(came)) / 48_000
    assert 204.0 < seconds <= 204.85
    assert done["usage"]["output_token_details"]["audio_tokens"] <= 4_096


@pytest.mark.parametrize("where", ["session", "response"])
def test_answer_ends_at_the_token_limit_of_the_client(
    new_desk: Callable[..., Desk], where: Any
) -> None:
    desk = new_desk(session=MANUAL)
    limit = {"max_output_tokens": 40}  # 2 s
    if where == "session":
        desk.send("session.update", session={"type": "realtime", **limit})
        limit = {}
    part = {"type": "input_text", "text": "tell me a story"}
    item = {"type": "message", "role": "user", "content": [part]}
    desk.send("conversation.item.create", item=item)
    came = desk.send("response.create", response=limit)
    assert only(came, "response.done")["response"]["status"] == "incomplete"
    assert 1.5 < len(audio(came)) / 48_000 <= 2.05
    assert 0 < len(transcript(came).split()) < 10  # no more words than were spoken
    for first, second in pairwise(kinds(came)):
        assert first != second


def test_answer_over_the_limit_at_once_ends_incomplete(desk: Desk) -> None:
    part = {"type": "input_text", "text": "tell me a story"}
    item = {"type": "message", "role": "user", "content": [part]}
    desk.send("conversation.item.create", item=item)
    came = desk.send("response.create", response={"max_output_tokens": 1})
    assert audio(came) == b""
    assert only(came, "response.done")["response"]["status"] == "incomplete"


OUTPUTS = [
    "[" * 90_000,
    '{"message": ' * 900 + "1" + "}" * 900,
    '{"error": ' * 900 + "1" + "}" * 900,
    '{"message": "\\ud800"}',
    '{"error": "\\udfff"}',
    '{"message": 1e999}',
    '{"error": {"code": 1}}',
    '{"error": ["a"]}',
    "9" * 5_000,
    "\0",
    "%s" * 100,
    "",
    "null",
    "\u2028\u200b\ufeff",
]
ARGUMENTS = ["{}", "[]", "[" * 5_000, '{"seconds": 1e99}', '{"percent": [1]}', "null"]


@pytest.mark.slow
def test_any_output_of_a_function_is_answered(desk: Desk) -> None:
    desk.speak = lambda sentence: SILENCE
    for number, (output, arguments) in enumerate(product(OUTPUTS, ARGUMENTS)):
        call_id = f"c{number}"
        name = "set_volume" if "percent" in arguments else "set_timer"
        call = {"type": "function_call", "name": name, "call_id": call_id, "arguments": arguments}
        desk.send("conversation.item.create", item=call)
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        desk.send("conversation.item.create", item=item)
        came = desk.send("response.create")
        assert only(came, "response.done")["response"]["status"] == "completed"
    assert "error" not in kinds(desk.log)


def test_error_of_a_function_is_spoken_as_its_message(desk: Desk) -> None:
    came = returned(desk, '{"error": {"code": 7, "message": "There is no such lamp."}}')
    assert transcript(came) == "That did not work: There is no such lamp."
