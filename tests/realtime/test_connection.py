"""The connection on real sockets: refusals, silent closes, retries, and keys that stay secret."""

import asyncio
import base64
import logging
from http import HTTPStatus

import pytest
import websockets.asyncio.server as ws
from websockets.http11 import Request, Response

from parleyd.config import RealtimeConfig
from parleyd.config.servers import OPENAI, profile
from parleyd.core.events import ConnectionDown, ConnectionUp
from parleyd.realtime import backoff
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from tests.realtime.connection_ear import Ear, port_of

KEY = "sk-test-0123456789abcdef"


def test_address_carries_the_model_and_hides_the_key() -> None:
    address = ServerAddress.of(RealtimeConfig(headers={"X": "1"}), OPENAI, KEY)
    assert address.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert address.headers == {"X": "1", "Authorization": f"Bearer {KEY}"}
    assert "OpenAI-Beta" not in address.headers
    assert KEY not in repr(address)
    assert KEY not in str(address)


def test_model_in_the_url_takes_precedence() -> None:
    realtime = RealtimeConfig(server="compatible", url="ws://pi:1/v1?model=mine", model="other")
    assert ServerAddress.of(realtime, profile("compatible"), None).url == "ws://pi:1/v1?model=mine"


@pytest.fixture(autouse=True)
def _retry_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))


def test_events_are_carried_both_ways_in_order() -> None:
    async def scene() -> None:
        received: list[str] = []
        done = asyncio.Event()

        async def talk(socket: ws.ServerConnection) -> None:
            await socket.send('{"type":"session.created","session":{}}')
            async for message in socket:
                received.append(str(message))
                if len(received) == 50:
                    done.set()

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ev.SessionCreated)
            assert isinstance(ear.told[0], ConnectionUp)
            for number in range(50):
                connection.send(ev.DeleteItem(item_id=f"item{number}"))
            async with asyncio.timeout(20):
                await done.wait()
            task.cancel()
        assert [ev.decode_client(m).item_id for m in received] == [f"item{n}" for n in range(50)]  # type: ignore[union-attr]

    asyncio.run(scene())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1013])
def test_temporary_close_is_reported_and_a_new_socket_opens(code: int) -> None:
    async def scene() -> None:
        sockets = 0

        async def talk(socket: ws.ServerConnection) -> None:
            nonlocal sockets
            sockets += 1
            if sockets == 1:
                await socket.close(code, "bye")
            else:
                await socket.wait_closed()

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp, 2)
            (down,) = await ear.wait(ConnectionDown)
            assert isinstance(down, ConnectionDown)
            assert not down.fatal
            assert str(code) in down.reason
            task.cancel()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("code", "reason"), [(3000, "invalid_request_error.invalid_api_key"), (3000, ""), (4401, "")]
)
def test_close_that_refuses_the_key_ends_the_connection(code: int, reason: str) -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.close(code, reason)

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            async with asyncio.timeout(20):
                await RealtimeConnection(
                    ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear
                ).run()
            (down,) = [e for e in ear.told if isinstance(e, ConnectionDown)]
            assert down.fatal
            assert "check OPENAI_API_KEY" in down.reason

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (4000, "invalid_request_error.invalid_model", "check realtime.model"),
        (4000, "invalid_request_error.beta_api_shape_disabled", "remove beta headers"),
        (4000, "something new", "refuses the session"),
        (1011, "insufficient_quota", "add credit"),
        (1008, "You exceeded your current quota", "add credit"),
        (3003, "", "refuses the session"),
        (4404, "", "refuses the session"),
    ],
)
def test_other_refusal_at_close_is_retried_when_a_user_asks(
    code: int, reason: str, words: str
) -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.close(code, reason)

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
            task = asyncio.create_task(connection.run())
            (down,) = await ear.wait(ConnectionDown)
            assert isinstance(down, ConnectionDown)
            assert (down.fatal, down.later) == (False, True)
            assert words in down.reason
            connection.set_wanted(True)
            await ear.wait(ConnectionDown, 2)
            task.cancel()

    asyncio.run(scene())


def test_http_401_is_final_and_503_is_not() -> None:
    async def scene() -> None:
        statuses = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNAUTHORIZED]

        def refuse(connection: ws.ServerConnection, request: Request) -> Response:
            return connection.respond(statuses.pop(0), f"no {KEY}\n")

        async def talk(socket: ws.ServerConnection) -> None:
            raise AssertionError("no client is let in")

        async with ws.serve(talk, "127.0.0.1", 0, process_request=refuse) as server:
            ear = Ear()
            realtime = RealtimeConfig(url=f"ws://127.0.0.1:{port_of(server)}")
            address = ServerAddress.of(realtime, OPENAI, KEY)
            async with asyncio.timeout(20):
                await RealtimeConnection(address, ear).run()
        first, second = [e for e in ear.told if isinstance(e, ConnectionDown)]
        assert (first.fatal, second.fatal) == (False, True)
        assert KEY not in first.reason + second.reason

    asyncio.run(scene())


def test_missing_server_is_retried_and_no_log_has_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        async with ws.serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0) as server:
            port = port_of(server)
        ear = Ear()
        connection = RealtimeConnection(
            ServerAddress.of(RealtimeConfig(url=f"ws://127.0.0.1:{port}"), OPENAI, KEY), ear
        )
        task = asyncio.create_task(connection.run())
        await ear.wait(ConnectionDown, 2)
        async with ws.serve(lambda socket: socket.wait_closed(), "127.0.0.1", port):
            await ear.wait(ConnectionUp)
            task.cancel()

    with caplog.at_level(logging.INFO):
        asyncio.run(scene())
    assert "nothing listens at 127.0.0.1 port" in caplog.text
    assert "network" not in caplog.text
    assert KEY not in caplog.text


def test_no_log_level_has_key_words_or_audio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The WebSocket library logs headers and frames if its logger allows it."""
    word, audio = "rhododendron", b"\x01\x02" * 60

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.send('{"type":"session.created","session":{}}')
            delta = ev.TranscriptDelta(response_id="r", item_id="i", delta=word)
            await socket.send(ev.encode(delta))
            await socket.send(f'{{"delta":"{word}"}}')  # malformed: it has no type
            await socket.send(f'{{"type":"{word[:4]}.unknown","delta":"{word}"}}')
            await socket.recv()
            await socket.close(3000, "invalid_request_error.invalid_api_key")

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            realtime = RealtimeConfig(url=f"ws://127.0.0.1:{port_of(server)}")
            connection = RealtimeConnection(ServerAddress.of(realtime, OPENAI, KEY), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ev.TranscriptDelta)
            connection.send(ev.AppendAudio(audio=audio))
            async with asyncio.timeout(20):
                await task

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scene())
    told = [r for r in caplog.records if r.name != "websockets.server"]  # from the test's server
    assert {record.levelname for record in told} >= {"DEBUG", "WARNING", "ERROR"}
    text = "\n".join(record.getMessage() for record in told)
    assert KEY not in text
    assert word not in text
    assert base64.b64encode(audio).decode()[:20] not in text


def test_requested_reconnection_does_not_wait_for_a_dead_peer() -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            await socket.wait_closed()

        async with ws.serve(talk, "127.0.0.1", 0) as server:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp)
            connection.reconnect("session_expired")
            (down,) = await ear.wait(ConnectionDown)
            assert down == ConnectionDown("session_expired", False)
            await ear.wait(ConnectionUp, 2)
            task.cancel()

    asyncio.run(scene())
