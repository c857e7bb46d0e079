"""The first messages to a server from a user who set OPENAI_API_KEY and configured nothing."""

import asyncio
from typing import Any

import numpy as np
import pytest
import websockets.asyncio.server as ws
from pydantic import ValidationError
from websockets.http11 import Request

from parleyd import config
from parleyd.app.server_address import server_address
from parleyd.core.events import InputEvent, MicPeriod, Send
from parleyd.core.speaker import SmartSpeaker
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.session import RealtimeSession
from tests.openai_types import assert_valid

KEY = "sk-test-0123456789abcdef"
TOOL = {
    "type": "function",
    "name": "set_volume",
    "description": "Set the loudness.",
    "parameters": {"type": "object", "properties": {"percent": {"type": "integer"}}},
}

FIRST_MESSAGE = (
    '{"type":"session.update","event_id":"parley_1","session":{'
    '"type":"realtime",'
    '"output_modalities":["audio"],'
    '"instructions":"You are Parley, a friendly voice assistant in a smart speaker. '
    "Answer in one to three short spoken sentences unless asked for more. "
    'If you were interrupted, do not repeat what was already heard.",'
    '"audio":{'
    '"input":{"format":{"type":"audio/pcm","rate":24000},'
    '"noise_reduction":{"type":"far_field"},'
    '"transcription":null,'
    '"turn_detection":{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,'
    '"silence_duration_ms":600,"create_response":false,"interrupt_response":false}},'
    '"output":{"format":{"type":"audio/pcm","rate":24000},"voice":"marin"}},'
    '"tools":[{"type":"function","name":"set_volume","description":"Set the loudness.",'
    '"parameters":{"type":"object","properties":{"percent":{"type":"integer"}}}}],'
    '"tool_choice":"auto",'
    '"max_output_tokens":4096,'
    '"truncation":{"type":"retention_ratio","retention_ratio":0.8,'
    '"token_limits":{"post_instructions":8000}},'
    '"tracing":null}}'
)


def test_first_message_by_default_is_exact() -> None:
    """On the wire: path, query, headers, and only this message until the server agrees."""
    settings = config.load(None)
    openai = server_address(settings.realtime, {"OPENAI_API_KEY": KEY})
    assert openai is not None
    server_url, path = openai.url[: len("wss://api.openai.com")], openai.url[20:]
    assert server_url == "wss://api.openai.com"
    requests: list[Request] = []
    messages: list[str | bytes] = []

    async def talk(socket: ws.ServerConnection) -> None:
        assert socket.request is not None
        requests.append(socket.request)
        await socket.send('{"type":"session.created","session":{"id":"sess_1"}}')
        messages.append(await socket.recv())
        await socket.send('{"type":"session.updated","session":{}}')
        await socket.wait_closed()

    async def scene() -> None:
        speaker = SmartSpeaker(settings, None, [TOOL])
        ready = asyncio.Event()

        def on_event(event: InputEvent) -> None:
            speaker.handle(event, 0.0)
            for effect in speaker.tick(MicPeriod(None, 0), 0.0).effects:
                if isinstance(effect, Send):
                    connection.send(effect.event)
            if isinstance(event, ev.SessionUpdated):
                ready.set()

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            connection = RealtimeConnection(
                ServerAddress(f"ws://127.0.0.1:{port}{path}", openai.headers), on_event
            )
            task = asyncio.create_task(connection.run())
            async with asyncio.timeout(20):
                await ready.wait()
            task.cancel()

    asyncio.run(scene())
    (request,) = requests
    assert request.path == "/v1/realtime?model=gpt-realtime-2.1"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "OpenAI-Beta" not in request.headers  # the removed protocol, which closes with 4000
    assert "Sec-WebSocket-Protocol" not in request.headers
    assert "Sec-WebSocket-Extensions" not in request.headers
    assert messages == [FIRST_MESSAGE]


@pytest.mark.parametrize("detection", ["server_vad", "semantic_vad", "local"])
@pytest.mark.parametrize("noise", ["far_field", "near_field", "off"])
def test_every_session_that_can_be_configured_is_official(detection: Any, noise: Any) -> None:
    realtime = config.RealtimeConfig(
        noise_reduction=noise,
        transcription_model="gpt-transcribe",
        transcription_keywords=("Parley",),
        language="en",
        max_output_tokens="inf",
        reasoning_effort="minimal",
        speed=1.25,
    )
    made = RealtimeSession(realtime, config.TurnConfig(detection=detection), [TOOL])
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    (update,) = made.to_send()
    assert_valid(update)


def test_every_event_that_a_session_sends_is_official() -> None:
    """A whole session: speech, reply, function, barge-in, reconnection with the heard part."""
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection="local"), [TOOL])
    sent: list[ev.ClientEvent] = []

    def receive(*events: ev.ServerEvent) -> None:
        for event in events:
            made.receive(event, 0.0)
        sent.extend(made.to_send())

    made.opened()
    made.begin_input()
    made.append(np.zeros(4800, np.int16))
    made.ask_for_reply(0.0)
    receive(ev.SessionCreated(), ev.SessionUpdated())
    call = {"type": "function_call", "status": "completed", "call_id": "c", "name": "set_volume"}
    receive(
        ev.ResponseCreated(response=ev.Response(id="r1")),
        ev.InputTranscript(item_id="u", transcript="Tell me"),
        ev.TranscriptDelta(response_id="r1", item_id="i1", delta="Once upon a time"),
        ev.AudioDelta(response_id="r1", item_id="i1", delta=b"\1\0"),
        ev.OutputItemDone(response_id="r1", item=call),
    )
    made.interrupt(
        [PlaybackProgress("i1", 0, 20, 40, False), PlaybackProgress("i2", 0, 0, 40, False)], 0.0
    )
    made.skill_done("c", "done", 0.0)
    receive()
    made.lost()
    made.opened()
    receive(ev.SessionCreated(), ev.SessionUpdated())
    for event in sent:
        assert_valid(event)
    never_sent = {ev.RetrieveItem}  # defined only for the embedded server
    assert {type(event) for event in sent} == set(ev.CLIENT_EVENTS.values()) - never_sent


@pytest.mark.parametrize(
    "session",
    [
        {"type": "realtime", "modalities": ["audio"]},
        {"type": "realtime", "input_audio_format": "pcm16"},
        {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "vad"}}}},
        {"voice": "marin"},
    ],
)
def test_official_types_refuse_the_removed_shapes(session: ev.Json) -> None:
    """Otherwise the tests above would prove nothing."""
    with pytest.raises((AssertionError, ValidationError)):
        assert_valid(ev.SessionUpdate(session=session))
