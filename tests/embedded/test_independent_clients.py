"""Other clients' habits on the wire: nulls, subprotocols, cancels without id, token details.

The shapes are those of LiveKit's plugin, pipecat, pydantic-ai and of generated clients that
write null for every unset field.
"""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import connect

from parleyd.embedded.server import RealtimeServer, ServerOptions
from parleyd.units import Frames
from tests.embedded.engine_desk import MANUAL, Desk, kinds, only, transcript
from tests.openai_types import assert_official_server_event

pytestmark = pytest.mark.slow

NOON = datetime(2026, 11, 22, 15, 5, tzinfo=UTC)
PCM_100_MS = base64.b64encode(bytes(4800)).decode()
SESSION_NULLS = (
    "instructions", "output_modalities", "tools", "tool_choice", "max_output_tokens", "audio",
    "prompt", "reasoning", "parallel_tool_calls", "truncation", "tracing", "include", "model",
)  # fmt: skip
RESPONSE_NULLS = (
    "instructions", "output_modalities", "tools", "tool_choice", "max_output_tokens", "audio",
    "prompt", "reasoning", "parallel_tool_calls", "conversation", "metadata", "input",
)  # fmt: skip


def settings(desk: Desk) -> Any:
    return only(desk.send("session.update", session={"type": "realtime"}), "session.updated")[
        "session"
    ]


@pytest.mark.parametrize("name", SESSION_NULLS)
def test_null_in_a_session_changes_nothing(new_desk: Callable[..., Desk], name: str) -> None:
    desk = new_desk(session=MANUAL | {"instructions": "Be brief.", "max_output_tokens": 4_000})
    before = settings(desk)
    came = desk.send("session.update", session={"type": "realtime", name: None})
    assert only(came, "session.updated")["session"] == before


@pytest.mark.parametrize(
    "audio",
    [
        {"input": None},
        {"output": None},
        {"input": {"format": None}, "output": {"format": None}},
        {"input": {"format": {"type": "audio/pcm", "rate": None}}},
        {"output": {"voice": None, "speed": None}},
    ],
)
def test_null_in_audio_settings_changes_nothing(new_desk: Callable[..., Desk], audio: Any) -> None:
    desk = new_desk(session={"type": "realtime", "audio": {"output": {"speed": 1.25}}})
    before = settings(desk)
    came = desk.send("session.update", session={"type": "realtime", "audio": audio})
    assert only(came, "session.updated")["session"] == before


@pytest.mark.parametrize("name", ["turn_detection", "transcription", "noise_reduction"])
def test_null_in_audio_input_switches_off(new_desk: Callable[..., Desk], name: str) -> None:
    on = {
        "turn_detection": {"type": "semantic_vad"},
        "transcription": {"model": "whisper-1"},
        "noise_reduction": {"type": "near_field"},
    }
    desk = new_desk(session={"type": "realtime", "audio": {"input": on}})
    off = {"type": "realtime", "audio": {"input": {name: None}}}
    session = only(desk.send("session.update", session=off), "session.updated")["session"]
    assert session["audio"]["input"][name] is None
    kept = set(on) - {name}
    assert all(session["audio"]["input"][other] is not None for other in kept)


@pytest.mark.parametrize("name", RESPONSE_NULLS)
def test_null_in_a_response_means_the_value_of_the_session(desk: Desk, name: str) -> None:
    part = {"type": "input_text", "text": "what time is it"}
    item = {"type": "message", "role": "user", "content": [part]}
    desk.send("conversation.item.create", item=item)
    came = desk.send("response.create", response={name: None})
    assert transcript(came) == "It is 3:05 PM."


@pytest.mark.parametrize("event", [{"response": None}, {"event_id": None}, {}])
def test_response_create_may_be_empty(desk: Desk, event: Any) -> None:
    assert kinds(desk.send("response.create", **event))[0] == "response.created"


def test_livekit_create_after_a_function_call_is_accepted(desk: Desk) -> None:
    """Its instructions are null, and its metadata must come back."""
    came = desk.send(
        "response.create",
        event_id="response_create_1",
        response={"instructions": None, "metadata": {"client_event_id": "response_create_1"}},
    )
    for kind in ("response.created", "response.done"):
        metadata = only(came, kind)["response"]["metadata"]
        assert metadata == {"client_event_id": "response_create_1"}


@pytest.mark.parametrize(
    "item",
    [
        {"id": None, "object": None, "status": None, "type": "message", "role": "user",
         "content": [{"type": "input_text", "text": "hello", "audio": None, "transcript": None}]},
        {"id": None, "type": "message", "role": "user",
         "content": [{"type": "input_audio", "audio": PCM_100_MS, "text": None}]},
        {"id": None, "type": "message", "role": "assistant", "status": None,
         "content": [{"type": "output_text", "text": "Hi.", "audio": None}]},
        {"id": None, "status": None, "type": "function_call", "call_id": None, "name": "f",
         "arguments": "{}"},
        {"id": None, "status": None, "object": None, "type": "function_call_output",
         "call_id": "c", "output": "done"},
    ],
    ids=["text", "audio", "assistant", "call", "output"],
)  # fmt: skip
def test_null_in_an_item_means_no_field(desk: Desk, item: Any) -> None:
    came = desk.send("conversation.item.create", item=item, previous_item_id=None, event_id=None)
    added = only(came, "conversation.item.added")["item"]
    assert added["id"].startswith("item_")
    back = desk.send("conversation.item.retrieve", item_id=added["id"])
    assert_official_server_event(only(back, "conversation.item.retrieved"))


@pytest.mark.parametrize("detection", ["server_vad", "semantic_vad"])
def test_null_in_turn_detection_is_refused_like_the_service(
    new_desk: Callable[..., Desk], detection: Any
) -> None:
    desk = new_desk()
    turn = {"type": detection, "create_response": None}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": turn}}}
    assert only(desk.send("session.update", session=session), "error")["error"]["code"] == (
        "invalid_type"
    )


@pytest.mark.parametrize("named", [{}, {"response_id": None}])
def test_cancel_without_id_ends_the_active_response(
    new_desk: Callable[..., Desk], named: Any
) -> None:
    desk = new_desk(pace=1.0, session=MANUAL)
    response = only(desk.ask("tell me a story"), "response.created")["response"]["id"]
    done = only(desk.send("response.cancel", **named), "response.done")["response"]
    assert (done["id"], done["status"]) == (response, "cancelled")


def test_retrieve_of_an_unknown_item_names_its_event(desk: Desk) -> None:
    """pipecat finds the requested item by the event's id."""
    came = desk.send("conversation.item.retrieve", item_id="gone", event_id="rci_gone")
    refused = only(came, "error")["error"]
    assert refused["code"] == "item_retrieve_invalid_item_id"
    assert refused["event_id"] == "rci_gone"


def test_usage_separates_text_and_audio(desk: Desk) -> None:
    usage = only(desk.ask("what time is it"), "response.done")["response"]["usage"]
    assert usage["input_token_details"] == {
        "text_tokens": 4,
        "audio_tokens": 0,
        "image_tokens": 0,
        "cached_tokens": 0,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
    }
    assert usage["input_tokens"] == 4
    details = usage["output_token_details"]
    assert details["text_tokens"] == 4  # It is 3:05 PM.
    assert 30 < details["audio_tokens"] < 60  # one per 50 ms
    assert usage["output_tokens"] == sum(details.values())
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_usage_counts_heard_audio_as_audio(desk: Desk, spoken: Callable[..., Frames]) -> None:
    desk.say(spoken("what time is it"))
    desk.send("input_audio_buffer.commit")
    usage = only(desk.send("response.create"), "response.done")["response"]["usage"]
    assert usage["input_token_details"]["text_tokens"] == 0
    assert 10 < usage["input_token_details"]["audio_tokens"] < 30  # one per 100 ms


async def selected(*offered: str) -> str | None:
    async with RealtimeServer(ServerOptions(local_time=lambda: NOON)) as server:
        url = f"{server.url}?model=x"
        async with connect(url, subprotocols=offered or None) as socket:  # type: ignore[arg-type]
            assert json.loads(await socket.recv())["type"] == "session.created"
            return socket.subprotocol


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        (("realtime",), "realtime"),
        (("realtime", "openai-insecure-api-key.sk-1", "openai-beta.realtime-v1"), "realtime"),
        (("openai-beta.realtime-v1", "realtime"), "realtime"),
        (("openai-insecure-api-key.sk-1", "openai-beta.realtime-v1"), "openai-beta.realtime-v1"),
        (("openai-insecure-api-key.sk-1",), None),
        (("mqtt",), None),
    ],
)
def test_subprotocol_is_selected_and_never_the_key(offered: Any, chosen: Any) -> None:
    assert asyncio.run(selected(*offered)) == chosen


FLAG = "--experimental-websocket"  # Node 20 needs it, later versions ignore it
NODE = """
const socket = new WebSocket(process.argv[1], [
  'realtime', 'openai-insecure-api-key.sk-1', 'openai-beta.realtime-v1']);
socket.onmessage = (event) => {
  console.log(JSON.parse(event.data).type, socket.protocol); socket.close(); };
socket.onerror = () => { console.log('refused'); };
"""


def test_browser_websocket_connects() -> None:
    """Node uses undici, which fails like a browser if no subprotocol is selected."""
    node = shutil.which("node")
    probe = "process.exit(typeof WebSocket === 'undefined' ? 1 : 0)"
    if node is None or subprocess.run([node, FLAG, "-e", probe], check=False).returncode:
        pytest.skip("this machine has no node with WebSocket")

    async def scene() -> None:
        async with RealtimeServer(ServerOptions(local_time=lambda: NOON)) as server:
            process = await asyncio.create_subprocess_exec(
                node, FLAG, "-e", NODE, f"{server.url}?model=x", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
        assert out.decode().split() == ["session.created", "realtime"]

    asyncio.run(scene())
