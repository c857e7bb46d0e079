"""The life of a connection on real sockets: opened on demand, renewed, found dead, closed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import pytest
import websockets.asyncio.server as ws
from websockets.asyncio.client import ClientConnection
from websockets.http11 import Request, Response

from parleyd.core.events import ConnectionDown, ConnectionUp, SessionExpiry
from parleyd.realtime import backoff, keepalive
from parleyd.realtime import connection as link_module
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from tests.realtime.connection_ear import Ear, port_of

pytestmark = pytest.mark.slow

FOR_EVER_S = (3600.0,)


async def stay(socket: ws.ServerConnection) -> None:
    await socket.wait_closed()


@contextlib.asynccontextmanager
async def connected(
    talk: Callable[[ws.ServerConnection], Awaitable[None]] = stay, *, warm: bool = True
) -> AsyncIterator[tuple[RealtimeConnection, Ear, asyncio.Task[None]]]:
    async with ws.serve(talk, "127.0.0.1", 0) as server:
        ear = Ear()
        connection = RealtimeConnection(
            ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear, warm=warm
        )
        task = asyncio.create_task(connection.run())
        try:
            async with asyncio.timeout(30):
                yield connection, ear, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_connection_cancelled_during_a_ping_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        pinged: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

        async def ping(_: ClientConnection) -> None:  # completes in the step that cancels it
            if not pinged.done():
                pinging = next(
                    t for t in asyncio.all_tasks() if t.get_name() == "connection-keepalive"
                )
                pinging.cancel()
                pinged.set_result(pinging)

        monkeypatch.setattr(ClientConnection, "ping", ping)
        monkeypatch.setattr(keepalive, "IDLE_PING_S", 0.0)
        async with connected():
            done, _ = await asyncio.wait([await pinged], timeout=4 * keepalive.LOOK_S)
            assert done, "the keepalive continues, and its waiter waits forever"

    asyncio.run(scene())


def test_on_wake_socket_opens_on_demand_and_closes_after_it() -> None:
    async def scene() -> None:
        opened: list[ws.ServerConnection] = []

        async def talk(socket: ws.ServerConnection) -> None:
            opened.append(socket)
            await socket.wait_closed()

        async with connected(talk, warm=False) as (connection, ear, _):
            await asyncio.sleep(0.2)
            assert opened == []
            connection.set_wanted(True)
            await ear.wait(ConnectionUp)
            connection.set_wanted(False)
            await opened[0].wait_closed()
            assert opened[0].close_code == 1000  # a clean close
            await asyncio.sleep(0.2)
            assert len(opened) == 1
            connection.set_wanted(True)
            await ear.wait(ConnectionUp, 2)
            assert not [event for event in ear.told if isinstance(event, ConnectionDown)]

    asyncio.run(scene())


def test_renewal_replaces_the_socket_without_connection_down() -> None:
    async def scene() -> None:
        async with connected() as (connection, ear, _):
            await ear.wait(ConnectionUp)
            connection.renew("time")
            await ear.wait(ConnectionUp, 2)
            assert not [event for event in ear.told if isinstance(event, ConnectionDown)]

    asyncio.run(scene())


def test_socket_under_replacement_sends_nothing() -> None:
    """It would be lost: the session sends it again on the new one."""

    async def scene() -> None:
        received: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        sockets = 0

        async def talk(socket: ws.ServerConnection) -> None:
            nonlocal sockets
            sockets += 1
            number = sockets
            async for message in socket:
                received.put_nowait((number, str(message)))

        async with connected(talk) as (connection, ear, _):
            await ear.wait(ConnectionUp)
            connection.renew("time")
            connection.send(ev.DeleteItem(item_id="old"))
            await ear.wait(ConnectionUp, 2)
            connection.send(ev.DeleteItem(item_id="new"))
            number, message = await received.get()
            assert number == 2
            assert '"new"' in message

    asyncio.run(scene())


def test_user_request_cuts_the_pause_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "STEPS_S", FOR_EVER_S)

    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            if len([event for event in ear.told if isinstance(event, ConnectionUp)]) < 2:
                await socket.close(1011, "broken")
            await socket.wait_closed()

        async with connected(talk) as (connection, ear, _):
            await ear.wait(ConnectionDown)
            connection.set_wanted(True)
            await ear.wait(ConnectionUp, 2)

    asyncio.run(scene())


def test_fatal_error_after_the_close_ends_the_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "STEPS_S", FOR_EVER_S)

    async def scene() -> None:
        async with connected(lambda socket: socket.close(1000, "")) as (connection, ear, task):
            await ear.wait(ConnectionDown)
            connection.reconnect("no credit", fatal=True)
            await task
            assert ear.told[-1] == ConnectionDown("no credit", True)

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def swallowing(moving: asyncio.Event) -> AsyncIterator[str]:
    """The address of a server behind a network that accepts everything, but delivers it only while
    `moving` is set. A server that computes in its only thread looks the same."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await moving.wait()
                writer.write(data)
        writer.close()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    async with (
        ws.serve(stay, "127.0.0.1", 0) as server,
        await asyncio.start_server(between, "127.0.0.1", 0) as front,
    ):
        yield f"ws://127.0.0.1:{front.sockets[0].getsockname()[1]}"


def test_server_that_was_only_busy_may_be_silent_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It accepts a new socket right after the silence: then twice as much silence is tolerated."""
    monkeypatch.setattr(keepalive, "SILENT_S", 0.6)
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))

    async def scene() -> None:
        idle = asyncio.Event()
        idle.set()
        async with swallowing(idle) as url:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(url), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp)
            idle.clear()
            connection.send(ev.CreateResponse())
            await ear.wait(ConnectionDown)
            idle.set()
            await ear.wait(ConnectionUp, 2)
            for _ in range(2):  # more than 0.6 s, less than 1.2 s
                idle.clear()
                connection.send(ev.CreateResponse())
                await asyncio.sleep(0.9)
                idle.set()
                await asyncio.sleep(0.6)
            assert sum(isinstance(told, ConnectionDown) for told in ear.told) == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


@pytest.mark.parametrize("busy_meanwhile", [False, True])
def test_patience_resets_after_a_socket_without_silence(
    monkeypatch: pytest.MonkeyPatch, busy_meanwhile: bool
) -> None:
    """After a network failure of some seconds, the next one is detected as early as the first."""
    monkeypatch.setattr(keepalive, "SILENT_S", 0.6)
    monkeypatch.setattr(keepalive, "PING_S", 0.1)
    monkeypatch.setattr(link_module, "LOOK_S", 0.05)
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))
    monkeypatch.setattr(link_module, "SETTLED_S", 0.5)

    async def scene() -> None:
        idle = asyncio.Event()
        idle.set()
        async with swallowing(idle) as url:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(url), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp)
            idle.clear()
            connection.send(ev.CreateResponse())
            await ear.wait(ConnectionDown)
            idle.set()
            await ear.wait(ConnectionUp, 2)
            connection.send(ev.CreateResponse())
            if busy_meanwhile:
                idle.clear()
            await asyncio.sleep(0.9)
            idle.set()
            await asyncio.sleep(0.3)
            connection.reconnect("a new conversation")
            await ear.wait(ConnectionUp, 3)
            idle.clear()
            connection.send(ev.CreateResponse())
            await asyncio.sleep(0.9)
            idle.set()
            await asyncio.sleep(1.2)  # an aborted socket is closed within 1 s
            downs = sum(isinstance(told, ConnectionDown) for told in ear.told)
            assert downs == (2 if busy_meanwhile else 3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


@pytest.mark.parametrize(("response_timeout_s", "most"), [(20.0, 5.0), (2.0, 1.0), (60.0, 15.0)])
def test_allowed_silence_is_at_most_the_users_patience(
    response_timeout_s: float, most: float
) -> None:
    connection = RealtimeConnection(
        ServerAddress("ws://127.0.0.1:9"), Ear(), response_timeout_s=response_timeout_s
    )
    for _ in range(9):
        connection._fell_silent = True
        connection._be_patient()
    assert connection._silent_patience == most


def test_dead_wifi_is_detected_without_a_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network in between swallows everything; the socket itself would wait for minutes."""
    monkeypatch.setattr(keepalive, "SILENT_S", 1.0)

    async def scene() -> None:
        alive = asyncio.Event()
        alive.set()
        async with swallowing(alive) as url:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(url), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp)
            alive.clear()
            connection.send(ev.CreateResponse())
            (down,) = await ear.wait(ConnectionDown)
            assert isinstance(down, ConnectionDown)
            assert "gone silent" in down.reason
            assert not down.fatal
            alive.set()
            await ear.wait(ConnectionUp, 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def test_expiry_time_becomes_seconds_from_now() -> None:
    async def scene() -> None:
        async def talk(socket: ws.ServerConnection) -> None:
            ends = int(time.time()) + 1800
            await socket.send(f'{{"type":"session.created","session":{{"expires_at":{ends}}}}}')
            await socket.send('{"type":"session.created","session":{"expires_at":null}}')
            await socket.wait_closed()

        async with connected(talk) as (_, ear, _task):
            await ear.wait(ev.SessionCreated, 2)
            (told,) = [event for event in ear.told if isinstance(event, SessionExpiry)]
            assert told.in_s == pytest.approx(1800, abs=60)

    asyncio.run(scene())


def test_rate_limit_is_retried_unlike_a_wrong_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "BUSY_STEPS_S", (0.05,))

    async def scene() -> None:
        tries = 0

        def refuse(connection: ws.ServerConnection, request: Request) -> Response | None:
            nonlocal tries
            tries += 1
            busy = HTTPStatus.TOO_MANY_REQUESTS
            return connection.respond(busy, "slow down\n") if tries == 1 else None

        async def talk(socket: ws.ServerConnection) -> None:
            if tries == 2:
                await socket.send('{"type":"error","error":{"code":"rate_limit_exceeded"}}')
                await socket.close(1000, "")
            await socket.wait_closed()

        async with ws.serve(talk, "127.0.0.1", 0, process_request=refuse) as server:
            ear = Ear()
            task = asyncio.create_task(
                RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear).run()
            )
            await ear.wait(ConnectionUp, 2)
            first, second = await ear.wait(ConnectionDown, 2)
            assert isinstance(first, ConnectionDown)
            assert isinstance(second, ConnectionDown)
            assert (first.fatal, second.fatal) == (False, False)
            assert "wait a moment" in first.reason
            assert "wait a moment" in second.reason
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
