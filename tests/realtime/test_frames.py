"""Frames of a real server: in pieces, binary, broken, and too big."""

import asyncio
import base64
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import websockets.asyncio.server as ws
from websockets.exceptions import ConnectionClosed

from parleyd.core.events import ConnectionDown, ConnectionUp
from parleyd.realtime import backoff, frames
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from tests.realtime.connection_ear import Ear, port_of

Talk = Callable[[ws.ServerConnection], Awaitable[None]]
CREATED = '{"type":"session.created","session":{}}'


@contextlib.asynccontextmanager
async def connected(talk: Talk) -> AsyncIterator[Ear]:
    async def all_of_it(socket: ws.ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await talk(socket)
            await socket.wait_closed()

    async with ws.serve(all_of_it, "127.0.0.1", 0, compression=None) as server:
        ear = Ear()
        connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
        task = asyncio.create_task(connection.run())
        try:
            async with asyncio.timeout(60):
                yield ear
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def delta(pcm: bytes) -> str:
    event = ev.AudioDelta(response_id="r", item_id="i", delta=pcm)
    return ev.encode(event)


@pytest.mark.parametrize(
    "frame",
    [
        CREATED,
        CREATED.encode(),
        b"\xef\xbb\xbf" + CREATED.encode(),
        [CREATED[:7], CREATED[7:8], CREATED[8:]],
        ["", CREATED, "", ""],
        list(CREATED),
    ],
)
def test_link_message_in_any_framing_is_an_event(frame: str | bytes | list[str]) -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.send(frame)

        async with connected(talk) as ear:
            await ear.wait(ev.SessionCreated)

    asyncio.run(scene())


def test_link_text_that_is_not_utf8_ends_no_conversation() -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.send(b'{"type":"session.created","x":"\xff"}', text=True)
            await socket.send(b"\xff\xfe", text=True)
            await socket.send('{"type":"session.updated"}')

        async with connected(talk) as ear:
            await ear.wait(ev.SessionUpdated)
            await ear.wait(ev.SessionCreated)
            assert not [event for event in ear.told if isinstance(event, ConnectionDown)]

    asyncio.run(scene())


def test_link_long_delta_arrives_in_seconds_and_whole() -> None:
    """LocalAI sends a spoken answer as one delta; this one has 62.5 s and an odd byte."""
    pcm = bytes(range(250)) * 12_000 + b"\x01"

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.send(delta(pcm))

        async with connected(talk) as ear:
            pieces = await ear.wait(ev.AudioDelta, 63)
            assert b"".join(piece.delta for piece in pieces) == pcm  # type: ignore[union-attr]
            assert {len(piece.delta) for piece in pieces} == {48_000, 24_001}  # type: ignore[union-attr]

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["one message", "fragments", "many fragments"])
def test_link_too_big_message_ends_its_socket_only(
    how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backoff, "STEPS_S", (0.01,))
    sockets = 0

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            nonlocal sockets
            sockets += 1
            await socket.send(CREATED)
            if sockets > 1:
                return
            if how == "one message":
                await socket.send(json.dumps({"type": "x", "y": "y" * 4 * 1024 * 1024}))
            elif how == "fragments":
                await socket.send("y" * 1024 * 1024 for _ in range(5))
            else:
                await socket.send(" " for _ in range(5000))

        async with connected(talk) as ear:
            await ear.wait(ConnectionUp, 2)
            await ear.wait(ev.SessionCreated, 2)
            (down,) = await ear.wait(ConnectionDown)
            assert isinstance(down, ConnectionDown)
            assert not down.fatal
            assert "the server sent a message of more than 4 MiB" in down.reason

    with caplog.at_level(logging.WARNING, "parleyd"):
        asyncio.run(scene())
    assert len([r for r in caplog.records if "4 MiB" in r.getMessage()]) == 1


def test_link_message_of_a_minute_of_speech_is_accepted() -> None:
    pcm = bytes(2 * 24_000 * 60)
    assert len(delta(pcm)) < frames.BIGGEST_MESSAGE < 2 * len(delta(pcm))
    assert len(base64.b64encode(pcm)) == 3_840_000


@pytest.mark.slow
def test_connection_flood_is_parsed_in_pieces_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each check of the processor's clock costs 2 ms here: a rest after every second piece."""
    rests = 0
    clock = 0.0

    def thread_time() -> float:
        nonlocal clock
        clock += 0.002
        return clock

    monkeypatch.setattr(time, "thread_time", thread_time)
    rest_s = frames.PacedConnection.rest_s

    def counted(self: frames.PacedConnection, used_s: float) -> float:
        nonlocal rests
        found = rest_s(self, used_s)
        rests += found > 0
        return found

    monkeypatch.setattr(frames.PacedConnection, "rest_s", counted)

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            for number in range(300):
                await socket.send(f'{{"type":"input_audio_buffer.committed","item_id":"{number}"}}')
            await socket.close()

        async with connected(talk) as ear:
            told = await ear.wait(ev.AudioCommitted, 300)
            assert [event.item_id for event in told] == [str(n) for n in range(300)]  # type: ignore[union-attr]

    asyncio.run(scene())
    assert rests > 50


def test_link_waits_while_too_many_events_wait() -> None:
    """Nothing is lost: the server's next message is read when there is room."""
    taken: list[str | None] = []
    waiting: list[ev.AudioCommitted] = []
    most = 0

    def on_event(event: object) -> None:
        nonlocal most
        if isinstance(event, ev.AudioCommitted):
            waiting.append(event)
            most = max(most, len(waiting))

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            for number in range(300):
                await socket.send(f'{{"type":"input_audio_buffer.committed","item_id":"{number}"}}')
            await socket.wait_closed()

        async with ws.serve(talk, "127.0.0.1", 0, compression=None) as server:
            address = ServerAddress(f"ws://127.0.0.1:{port_of(server)}")
            connection = RealtimeConnection(address, on_event, crowded=lambda: len(waiting) >= 10)
            task = asyncio.create_task(connection.run())
            async with asyncio.timeout(60):
                while len(taken) < 300:
                    await asyncio.sleep(0.01)
                    taken.extend(event.item_id for event in waiting)
                    waiting.clear()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert taken == [str(number) for number in range(300)]
    assert most == 10
