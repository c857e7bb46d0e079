"""The embedded server against clients that take its memory, voice or places, over TCP."""

import asyncio
import base64
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from parleyd.embedded import connection, limits, places
from parleyd.embedded.server import RealtimeServer
from tests.embedded.rude_client import (
    BINARY,
    CONTINUATION,
    PATIENCE_S,
    PING,
    TEXT,
    Rude,
    Served,
    event,
    frame,
    served,
    user_text,
)

MOST_MORE_MB = 200  # for one client that sends the largest messages: measured 94 to 156
SECOND_OF_AUDIO = base64.b64encode(bytes(48_000)).decode()


def run(scene: Callable[..., Any]) -> None:
    """Run a scene with a separate server; its standard error must stay empty."""

    async def play() -> None:
        async with served() as server:
            await scene(server)

    asyncio.run(play())


async def flood(client: Rude, data: bytes, seconds: float, server: Served) -> int:
    """Send `data` again and again; returns the peak memory in MB."""
    end, most = time.monotonic() + seconds, 0
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.send(data)
            most = max(most, server.mb)
    return most


async def answers(server: Served) -> None:
    """Check that another client is served."""
    client = await server.open()
    assert (await client.receive())["type"] == "session.created"
    await client.send(user_text("what time is it") + event("response.create"))
    while (await client.receive())["type"] != "response.done":
        pass


ATTACKS = {
    "texts": user_text("A" * 20_000_000),
    "wide_texts": user_text("A" * 4_000_000 + "\U0001f600"),
    "instructions": event(
        "session.update", session={"type": "realtime", "instructions": "A" * 20_000_000}
    ),
    "empty_lists": frame(
        b'{"type": "session.update", "session": {"x": [' + b"[]," * 6_000_000 + b"0]}}"
    ),
    "audio": event("input_audio_buffer.append", audio=SECOND_OF_AUDIO * 20),
    "no_json": frame(b"[" * 20_000_000),
    "binary": frame(bytes(20_000_000), BINARY),
    "small_events": user_text("hello") * 1_000,
    "pings": frame(bytes(125), PING) * 1_000,
    "empty_fragments": frame(b"", TEXT, final=False) + frame(b"", CONTINUATION, final=False) * 9999,
    "one_message_that_never_ends": frame(b"A" * 1_000_000, TEXT, final=False)
    + frame(b"A" * 1_000_000, CONTINUATION, final=False) * 30,
}


@pytest.mark.slow
def test_floods_of_clients_that_never_read_are_bounded() -> None:
    async def scene(server: Served) -> None:
        before = server.mb
        most = {}
        for name, attack in ATTACKS.items():
            most[name] = await flood(await server.open(), attack, 1.0, server) - before
            await answers(server)
            await server.leave()
        assert {name: more for name, more in most.items() if more > MOST_MORE_MB} == {}

    run(scene)


@pytest.mark.slow
def test_stored_texts_of_a_polite_client_are_bounded() -> None:
    async def scene(server: Served) -> None:
        client = await server.open()
        before = server.mb
        await client.receive()
        for _ in range(200):  # 50 MB, which is more than it stores
            await client.send(user_text("A" * 250_000))
            assert (await client.receive())["type"] == "conversation.item.added"
            assert (await client.receive())["type"] == "conversation.item.done"
        assert server.mb < before + 40

    run(scene)


@pytest.mark.slow
def test_eight_clients_with_half_a_message_each_are_bounded() -> None:
    half = frame(b"A" * 20_000_000)[:-1]

    async def scene(server: Served) -> None:
        before = server.mb
        clients = [await server.open() for _ in range(8)]
        sent = await asyncio.gather(*(c.send(half) for c in clients), return_exceptions=True)
        assert any(isinstance(result, ConnectionError) for result in sent)  # some were dropped
        assert server.mb < before + 200
        await answers(server)

    run(scene)


@pytest.mark.slow
def test_half_open_connections_do_not_block_new_clients() -> None:
    async def scene(server: Served) -> None:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        await answers(server)
        assert server.open_files < 100
        for half_open in idle:
            half_open.close()

    run(scene)


@pytest.mark.slow
def test_unfinished_handshake_is_dropped_in_time() -> None:
    async def scene(server: Served) -> None:
        client = await server.connect()
        await client.send(b"GET /v1/realtime?model=x HTTP/1.1\r\nHost: ")
        assert await client.dropped()
        await answers(server)

    run(scene)


@pytest.mark.slow
def test_silent_clients_lose_their_places() -> None:
    async def scene(server: Served) -> None:
        silent = [await server.open() for _ in range(8)]
        for client in silent:
            await client.receive()
        await answers(server)
        assert await silent[0].dropped()  # the oldest
        await silent[7].send(event("response.cancel"))  # the newest has kept its place
        assert (await silent[7].receive())["error"]["code"] == "response_cancel_not_active"

    run(scene)


@pytest.mark.slow
def test_ninth_client_is_refused_while_eight_are_busy() -> None:
    async def scene(server: Served) -> None:
        busy = [await server.open() for _ in range(8)]
        for client in busy:
            await client.receive()
            await client.send(event("response.cancel"))
            await client.receive()
        ninth = await server.open()
        async with asyncio.timeout(PATIENCE_S):
            close = await ninth.reader.readexactly(4)
        assert close[0] == 0x88
        assert int.from_bytes(close[2:], "big") == 1013

    run(scene)


def test_client_idle_for_10_min_loses_its_place_to_a_new_one() -> None:
    class Seat:
        def __init__(self, heard_at: float | None) -> None:
            self.heard_at = heard_at

    now = time.monotonic()
    taken = places.Places()
    seats = [Seat(now - idle_s) for idle_s in (599, 590, 1, 2, 3, 4, 5, 6)]
    for seat in seats:
        assert taken.take(seat) is None  # type: ignore[arg-type]
    with pytest.raises(LookupError):
        taken.take(Seat(None))  # type: ignore[arg-type]
    seats[1].heard_at = now - 601
    assert taken.take(Seat(now)) is seats[1]  # type: ignore[arg-type]


def test_client_that_never_reads_is_paused_and_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "READ_WITHIN_S", 1.0)

    async def scene() -> None:
        async with RealtimeServer() as server:
            client = Rude(*await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 10))
            try:
                await client.shake_hands("model=x")
                (visitor,) = server._visitors
                # 4 MB of speech each, preceded by 200 KB to handle
                story = user_text("A" * 200_000)
                story += user_text("tell me a story") + event("response.create")
                sent = 0
                with contextlib.suppress(ConnectionError):
                    async with asyncio.timeout(PATIENCE_S):
                        while True:
                            with contextlib.suppress(TimeoutError):
                                async with asyncio.timeout(0.05):
                                    await client.send(story)
                                    sent += len(story)
                            unread = visitor.transport.get_write_buffer_size()
                            assert unread < 2 * limits.MOST_UNREAD_BYTES
                            assert visitor.unhandled_bytes < 2 * limits.MOST_UNHANDLED_BYTES
                            await asyncio.sleep(0.02)
                assert sent > 2 * limits.MOST_UNHANDLED_BYTES
            finally:
                client.writer.transport.abort()

    asyncio.run(scene())


@pytest.mark.slow
def test_long_answer_of_one_client_does_not_delay_another() -> None:
    """Digits are the slowest to speak: 200,000 of them used to block the voice for 14 minutes."""

    async def scene(server: Served) -> None:
        greedy = await server.open()
        call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
        output = {"type": "function_call_output", "call_id": "c", "output": "9" * 200_000}
        await greedy.send(event("conversation.item.create", item=call))
        await greedy.send(event("conversation.item.create", item=output))
        for _ in range(8):
            await greedy.send(event("response.create", response={"conversation": "none"}))
        done = asyncio.create_task(_until_done(greedy))
        await answers(server)
        assert not done.done()  # it was served first, and is still being served
        done.cancel()

    run(scene)


async def _until_done(client: Rude) -> None:
    while (await client.receive())["type"] != "response.done":
        pass


@pytest.mark.slow
def test_odd_messages_are_refused_and_the_session_continues() -> None:
    """`test_engine_bounds` has more of them; these come over the socket."""

    async def scene(server: Served) -> None:
        client = await server.open()
        await client.receive()
        for payload in (b"[" * 60_000, b"\xff", b'{"type": ' * 40_000, b""):
            await client.send(frame(payload))
            refused = await client.receive()
            assert (refused["type"], refused["error"]["code"]) == ("error", "invalid_json")
        await client.send(frame(b"\x00", BINARY))
        assert (await client.receive())["error"]["code"] == "invalid_event"
        await client.send(event("response.cancel"))
        assert (await client.receive())["error"]["code"] == "response_cancel_not_active"

    run(scene)


@pytest.mark.slow
def test_odd_requests_are_answered_by_http() -> None:
    async def scene(server: Served) -> None:
        for target in ("//[x", "/v1/realtime/../x", "*", "/" + "a" * 8_000):
            client = await server.connect()
            await client.send(
                f"GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert (await client.reader.readline()).startswith(b"HTTP/1.1 4")
            assert await client.dropped()

    run(scene)


@pytest.mark.slow
def test_two_beta_headers_are_refused_like_one() -> None:
    async def scene(server: Served) -> None:
        headers = ("OpenAI-Beta: assistants=v2", "OpenAI-Beta: realtime=v1")
        client = await server.open("model=x", *headers)
        assert (await client.receive())["error"]["code"] == "beta_api_shape_disabled"

    run(scene)
