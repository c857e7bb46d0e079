"""The embedded server on a real socket, used by the official client, and as a process."""

import asyncio
import base64
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from parleyd.embedded.server import RealtimeServer, ServerOptions
from parleyd.embedded.stories import STORIES
from parleyd.embedded.synthesizer import Synthesizer
from parleyd.errors import ListenError, OfflineSpeechError
from parleyd.units import SERVER_RATE_HZ, Frames

OFFICIAL = TypeAdapter(RealtimeServerEvent)
NOW = datetime(2026, 11, 22, 15, 5, tzinfo=UTC)
PATIENCE_S = 20.0


def options(**more: Any) -> Any:
    return ServerOptions(local_time=lambda: NOW, **more)


class Caller:
    """The official client in a conversation; records every event."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.log: list[Any] = []

    async def until(self, kind: str) -> Any:
        """The next event of this type; records all earlier ones."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self.connection.recv()
                OFFICIAL.validate_python(event.model_dump())
                self.log.append(event)
                if event.type == kind:
                    return event

    async def say(self, frames: Frames) -> None:
        for start in range(0, len(frames), 2400):
            audio = base64.b64encode(frames[start : start + 2400].tobytes()).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    def audio(self, response_id: str) -> Any:
        return b"".join(
            base64.b64decode(event.delta)
            for event in self.log
            if event.type == "response.output_audio.delta" and event.response_id == response_id
        )


def talk(server: RealtimeServer) -> Any:
    base = server.url.removesuffix("/realtime")
    client = AsyncOpenAI(
        api_key="none",
        base_url=base.replace("ws:", "http:"),
        websocket_base_url=base,
    )
    return client, client.realtime.connect(model="parley-offline")


async def conversation(spoken: Callable[..., Frames]) -> None:
    async with RealtimeServer(options(pace=8.0)) as server:
        client, connecting = talk(server)
        async with client, connecting as connection:
            caller = Caller(connection)
            created = await caller.until("session.created")
            assert created.session.model == "parley-offline"
            await manual_turn(caller, spoken)
            await interruption(caller, spoken)
            await detected_turn(caller, spoken)
            await interruption_by_voice(caller, spoken)
            await function_call(caller, spoken)
            await connection.close(code=1000, reason="bye")
            await connection._connection.wait_closed()
            assert connection._connection.close_code == 1000


async def manual_turn(caller: Caller, spoken: Callable[..., Frames]) -> None:
    manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    await caller.connection.session.update(session=manual)
    await caller.until("session.updated")
    await caller.say(spoken("what time is it"))
    await caller.connection.input_audio_buffer.commit()
    await caller.connection.response.create()
    done = await caller.until("response.done")
    assert done.response.status == "completed"
    assert done.response.output[0].content[0].transcript == "It is 3:05 PM."
    speech = np.frombuffer(caller.audio(done.response.id), "<i2")
    assert len(speech) > SERVER_RATE_HZ
    assert np.abs(speech.astype(int)).max() > 3000


async def interruption(caller: Caller, spoken: Callable[..., Frames]) -> None:
    await caller.say(spoken("tell me a story"))
    await caller.connection.input_audio_buffer.commit()
    await caller.connection.response.create()
    created = await caller.until("response.created")
    for _ in range(40):
        delta = await caller.until("response.output_audio.delta")
    await caller.connection.response.cancel(response_id=created.response.id)
    done = await caller.until("response.done")
    assert done.response.status_details.reason == "client_cancelled"
    received_ms = len(caller.audio(created.response.id)) // 48
    assert received_ms < 40_000  # cancelled in mid-answer
    await caller.connection.conversation.item.truncate(
        item_id=delta.item_id, content_index=0, audio_end_ms=received_ms + 1
    )
    refused = await caller.until("error")
    assert refused.error.message == (
        f"Audio content of {received_ms}ms is already shorter than {received_ms + 1}ms"
    )
    await caller.connection.conversation.item.truncate(
        item_id=delta.item_id, content_index=0, audio_end_ms=6_000
    )
    assert (await caller.until("conversation.item.truncated")).audio_end_ms == 6_000
    await caller.say(spoken("go on"))
    await caller.connection.input_audio_buffer.commit()
    await caller.connection.response.create()
    part = await caller.until("response.output_audio_transcript.delta")
    assert part.delta.strip() in STORIES["lighthouse"][1:3]
    await caller.connection.response.cancel()
    await caller.until("response.done")
    await caller.connection.conversation.item.delete(item_id=part.item_id)
    assert (await caller.until("conversation.item.deleted")).item_id == part.item_id


async def detected_turn(caller: Caller, spoken: Callable[..., Frames]) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 400}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    await caller.connection.session.update(session=session)
    await caller.until("session.updated")
    start = len(caller.log)
    await caller.say(spoken("what is the date today", pause_ms=800))
    done = await caller.until("response.done")
    assert done.response.output[0].content[0].transcript.startswith("Today is Sunday")
    names = [event.type for event in caller.log[start:]]
    assert names[:5] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]


async def interruption_by_voice(caller: Caller, spoken: Callable[..., Frames]) -> None:
    await caller.say(spoken("tell me a story", pause_ms=800))
    created = await caller.until("response.created")
    for _ in range(20):
        delta = await caller.until("response.output_audio.delta")
    await caller.say(spoken("what time is it", pause_ms=800))
    await caller.until("input_audio_buffer.speech_started")
    cut = await caller.until("response.done")
    assert cut.response.id == created.response.id
    assert cut.response.status_details.reason == "turn_detected"
    await caller.connection.conversation.item.truncate(
        item_id=delta.item_id, content_index=0, audio_end_ms=1_000
    )
    assert (await caller.until("conversation.item.truncated")).item_id == delta.item_id
    answer = await caller.until("response.done")
    assert answer.response.output[0].content[0].transcript == "It is 3:05 PM."


async def function_call(caller: Caller, spoken: Callable[..., Frames]) -> None:
    parameters = {"type": "object", "properties": {"percent": {"type": "integer"}}}
    tool = {"type": "function", "name": "set_volume", "parameters": parameters}
    await caller.connection.session.update(session={"type": "realtime", "tools": [tool]})
    await caller.until("session.updated")
    await caller.say(spoken("set the volume to forty percent", pause_ms=800))
    call = (await caller.until("response.done")).response.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call", "set_volume", {"percent": 40},
    )  # fmt: skip
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "It is done now."}
    await caller.connection.conversation.item.create(item=output)
    await caller.connection.response.create()
    answer = await caller.until("response.done")
    assert answer.response.output[0].content[0].transcript == "It is done now."


@pytest.mark.slow
def test_official_client_holds_a_whole_conversation(spoken: Callable[..., Frames]) -> None:
    asyncio.run(conversation(spoken))


async def unpaced_cancel() -> None:
    async with RealtimeServer(options()) as server:
        client, connecting = talk(server)
        async with client, connecting as connection:
            caller = Caller(connection)
            await caller.until("session.created")
            part = {"type": "input_text", "text": "tell me a story"}
            item = {"type": "message", "role": "user", "content": [part]}
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            created = await caller.until("response.created")
            await caller.until("response.output_audio.delta")
            await connection.response.cancel(response_id=created.response.id)
            done = await caller.until("response.done")
            assert done.response.status == "cancelled"
            assert 0 < len(caller.audio(created.response.id)) / 48000 < 40.0


def test_cancel_works_between_sentences_at_full_speed() -> None:
    asyncio.run(unpaced_cancel())


async def refusals() -> None:
    async with RealtimeServer(options()) as server:
        async with connect(server.url) as socket:
            assert json.loads(await socket.recv())["error"]["code"] == "missing_model"
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (
                4000,
                "invalid_request_error.missing_model",
            )
        beta = {"OpenAI-Beta": "realtime=v1"}
        async with connect(f"{server.url}?model=x", additional_headers=beta) as socket:
            assert json.loads(await socket.recv())["error"]["code"] == "beta_api_shape_disabled"
        with pytest.raises(InvalidStatus, match="404"):
            await connect(server.url.replace("realtime", "elsewhere"))
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"{server.url}?model=x", origin="http://page.example")  # type: ignore[arg-type]
        with pytest.raises(ListenError, match=f"port {server.port}.*--port"):
            await RealtimeServer(options(port=server.port)).__aenter__()
        async with connect(f"{server.url}?model=x") as socket:
            await socket.recv()
            await socket.send(b"\x00")
            assert json.loads(await socket.recv())["error"]["code"] == "invalid_event"


@pytest.mark.slow
def test_invalid_connections_are_refused() -> None:
    asyncio.run(refusals())


async def worker_dies(spoken: Callable[..., Frames]) -> None:
    async with RealtimeServer(options()) as server:
        client, connecting = talk(server)
        async with client, connecting as connection:
            caller = Caller(connection)
            await caller.until("session.created")
            manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await connection.session.update(session=manual)
            os.kill(server.worker_pid, signal.SIGKILL)  # type: ignore[arg-type]
            statuses = []
            for _ in range(2):
                await caller.say(spoken("what time is it"))
                await connection.input_audio_buffer.commit()
                await connection.response.create()
                statuses.append((await caller.until("response.done")).response.status)
            assert statuses == ["failed", "completed"]


@pytest.mark.slow
def test_dead_recogniser_fails_one_answer_and_is_replaced(
    spoken: Callable[..., Frames],
) -> None:
    asyncio.run(worker_dies(spoken))


async def start(*arguments: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parleyd", "serve", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        line = (await process.stdout.readline()).decode()  # type: ignore[union-attr]
    assert line.startswith("listening on ws://127.0.0.1:"), line
    assert line.endswith("/v1/realtime\n")
    return process, int(line.split(":")[2].split("/")[0])


async def ends(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def terminated() -> None:
    process, port = await start()
    async with connect(f"ws://127.0.0.1:{port}/v1/realtime?model=x") as client:
        await client.recv()
        process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            await client.wait_closed()
        assert client.close_code == 1001
    await ends(process, port)


async def abandoned() -> None:
    process, port = await start("--exit-with-parent")
    process.stdin.close()
    await ends(process, port)


@pytest.mark.slow
def test_sigterm_ends_the_process_cleanly() -> None:
    asyncio.run(terminated())


@pytest.mark.slow
def test_server_process_ends_with_its_parent() -> None:
    asyncio.run(abandoned())


def test_missing_voice_is_one_clear_line() -> None:
    with pytest.raises(OfflineSpeechError, match="sudo apt install flite") as caught:
        Synthesizer("nobody")
    assert "\n" not in str(caught.value)


def test_job_that_fails_is_logged_and_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client reconnects instead of waiting forever."""

    async def fail(*_: Any) -> None:
        raise RuntimeError("rhubarb")

    monkeypatch.setattr("parleyd.embedded.speech.Share.synthesize", fail)

    async def scene() -> None:
        async with (
            RealtimeServer(options(pace=8.0)) as server,
            connect(f"{server.url}?model=x") as client,
        ):
            await client.send('{"type": "response.create"}')
            async with asyncio.timeout(PATIENCE_S):
                async for _ in client:
                    pass

    asyncio.run(scene())
    assert "failed" in caplog.text
    assert "RuntimeError: rhubarb" in caplog.text
