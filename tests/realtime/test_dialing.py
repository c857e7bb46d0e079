"""The key's way to the server, on real sockets: which peers get it, and which never do."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest
import websockets.asyncio.server as ws

from parleyd.core.events import ConnectionDown, ConnectionUp
from parleyd.realtime import backoff
from parleyd.realtime import connection as link_module
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.keepalive import Keepalive
from tests.realtime.connection_ear import Ear, port_of
from tests.realtime.rude_network import (
    BEARER,
    KEY,
    HttpProxy,
    Raw,
    SocksProxy,
    black_hole,
    certificate,
    connected,
    first_down,
    names,
    status,
    stay,
    tls_server,
)

PROXIES = ("http", "https", "all", "socks", "ws", "wss", "no")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)


# --- redirects ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["ws://127.0.0.2:{}/x", "ws://127.0.0.1:{}/x", "/same", "//h/x"])
def test_redirect_is_refused_and_gets_no_key(code: int, where: str) -> None:
    async def scene() -> None:
        async with Raw().running("0.0.0.0") as other:
            location = where.format(other.port)
            reply = status(f"{code} Moved", f"Location: {location}\r\n")
            async with Raw(reply).running() as first:
                address = ServerAddress(f"ws://127.0.0.1:{first.port}/v1", BEARER)
                down = await first_down(address)
            assert len(first.seen) == 1
            assert other.seen == []
            assert f"({code})" in down.reason
            assert "redirects are not followed" in down.reason
            assert down.later
            assert KEY not in down.reason

    asyncio.run(scene())


# --- clear text ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["example.org", "203.0.113.7", "100.64.0.1", "api.openai.com"])
def test_key_in_clear_text_outside_the_house_never_connects(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with Raw().running() as server:
            names(monkeypatch, **{host.replace(".", "_"): ["127.0.0.1"]})
            down = await first_down(ServerAddress(f"ws://{host}:{server.port}/v1", BEARER))
            assert server.seen == []
            assert "clear text" in down.reason
            assert down.fatal

    asyncio.run(scene())


def test_house_name_with_an_outside_address_gets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(monkeypatch, nas_local=["203.0.113.7"])
    down = asyncio.run(first_down(ServerAddress("ws://nas.local:9/v1", BEARER)))
    assert "nas.local is now 203.0.113.7, outside the house" in down.reason
    assert down.later


def test_house_name_is_reached_at_its_inside_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Routers also give the devices at home public IPv6 addresses."""

    async def scene() -> None:
        async with ws.serve(stay, "127.0.0.1", 0) as server:
            names(monkeypatch, nas_lan=["2001:db8::7", "203.0.113.7", "127.0.0.1"])
            async with connected(ServerAddress(f"ws://nas.lan:{port_of(server)}/v1", BEARER)) as (
                _,
                ear,
                _,
            ):
                await ear.wait(ConnectionUp)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": "Bearer sk\u20141"}, "outside ASCII"),
        ({"Authorization": "Bearer \ufeffsk-1"}, "byte-order mark"),
        ({"api-key": "sk-1\r\nX-Evil: 1"}, "more than one line"),
        ({"X-A": "1\r\nX-Evil: 1"}, "line break"),
        ({"X-A: 1\r\nX-Evil": "1"}, "not a header name"),
        ({"Host": "evil"}, "set by Parley"),
    ],
)
def test_header_that_cannot_be_sent_is_fatal(
    headers: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with Raw().running() as server:
            down = await first_down(ServerAddress(f"ws://127.0.0.1:{server.port}/v1", headers))
            assert server.seen == []
            assert down.fatal
            assert words in down.reason

    asyncio.run(scene())
    assert "sk-1" not in caplog.text
    assert "Evil: 1" not in caplog.text


# --- proxies ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy", "ws_proxy"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_proxy_of_the_environment_carries_the_link(
    name: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with (
            ws.serve(stay, "127.0.0.1", 0) as server,
            HttpProxy(version, to=port_of(server)).running() as proxy,
        ):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            async with connected(ServerAddress("ws://realtime.test:8080/v1")) as (_, ear, _):
                await ear.wait(ConnectionUp)
            assert proxy.asked == ["CONNECT realtime.test:8080 HTTP/1.1"]

    asyncio.run(scene())


def test_proxy_carries_tls_and_never_sees_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        path = certificate(tmp_path, "realtime.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        async with tls_server(path) as port, HttpProxy(to=port).running() as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            async with connected(ServerAddress("wss://realtime.test/v1", BEARER)) as (_, ear, _):
                await ear.wait(ConnectionUp)
            assert proxy.asked == ["CONNECT realtime.test:443 HTTP/1.1"]
            assert KEY.encode() not in proxy.carried

    asyncio.run(scene())


def test_proxy_gets_user_and_password_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with (
            ws.serve(stay, "127.0.0.1", 0) as server,
            HttpProxy(user="me:p@ss/w:rd", to=port_of(server)).running() as proxy,
        ):
            monkeypatch.setenv("http_proxy", f"http://me:p%40ss%2Fw%3Ard@127.0.0.1:{proxy.port}")
            async with connected(ServerAddress("ws://realtime.test/v1")) as (_, ear, _):
                await ear.wait(ConnectionUp)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("reply", "words", "later"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "another user and password", True),
        (status("403 Forbidden", body="no"), "refuses to connect to realtime.test (403)", True),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "cannot reach realtime.test (502)", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a proxy", True),
        (b"", "is not a proxy", True),
    ],
)
def test_proxy_that_refuses_is_named_without_its_password(
    reply: bytes,
    words: str,
    later: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        async with Raw(reply).running() as proxy:
            place = f"127.0.0.1:{proxy.port}"
            monkeypatch.setenv("https_proxy", f"http://me:s3cret@{place}")
            down = await first_down(ServerAddress("wss://realtime.test/v1", BEARER))
            assert words in down.reason
            assert f"http://{place}" in down.reason
            assert (down.fatal, down.later) == (False, later)
            assert KEY.encode() not in proxy.seen[0]

    asyncio.run(scene())
    assert "s3cret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_missing_proxy_is_named_instead_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    down = asyncio.run(first_down(ServerAddress("wss://realtime.test/v1")))
    assert down.reason.startswith("nothing listens at the proxy http://127.0.0.1:9: ")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:{}/v1", "ws://localhost:{}/v1"])
@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy", "socks_proxy"])
def test_proxy_is_not_used_for_this_device(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with ws.serve(stay, "127.0.0.1", 0) as server, Raw().running() as proxy:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            async with connected(ServerAddress(url.format(port_of(server)))) as (_, ear, _):
                await ear.wait(ConnectionUp)
            assert proxy.seen == []

    asyncio.run(scene())


def test_proxy_never_carries_a_key_in_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with ws.serve(stay, "127.0.0.1", 0) as server, Raw().running() as proxy:
            names(monkeypatch, nas_local=["127.0.0.1"])
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            address = ServerAddress(f"ws://nas.local:{port_of(server)}/v1", BEARER)
            async with connected(address) as (_, ear, _):
                await ear.wait(ConnectionUp)
            assert proxy.seen == []

    asyncio.run(scene())


def test_socks_without_its_package_names_it_and_is_retried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("parleyd.realtime.proxies.find_spec", lambda name: None)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")

    async def scene() -> None:
        async with connected(ServerAddress("wss://realtime.test/v1")) as (connection, ear, task):
            (down,) = await ear.wait(ConnectionDown)
            assert isinstance(down, ConnectionDown)
            assert "python-socks" in down.reason
            assert (down.fatal, down.later) == (False, True)
            connection.set_wanted(True)
            await ear.wait(ConnectionDown, 2)
            assert not task.done()

    asyncio.run(scene())
    assert "python-socks" in caplog.text


def test_socks_proxy_carries_the_link_and_resolves_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("python_socks")

    async def scene() -> None:
        async with (
            ws.serve(stay, "127.0.0.1", 0) as server,
            SocksProxy(port_of(server)).running() as proxy,
        ):
            monkeypatch.setenv("ALL_PROXY", f"socks://127.0.0.1:{proxy.port}/")
            async with connected(ServerAddress("ws://realtime.test:8080/v1")) as (_, ear, _):
                await ear.wait(ConnectionUp)
            assert proxy.asked == ["realtime.test"]

    asyncio.run(scene())


# --- names, addresses, TLS ----------------------------------------------------------------


def test_ipv6_that_drops_packets_does_not_delay_ipv4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> float:
        path = certificate(tmp_path, "realtime.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        names(monkeypatch, realtime_test=["::1", "127.0.0.1"])
        async with tls_server(path) as port:
            with black_hole("::1", port):
                address = ServerAddress(f"wss://realtime.test:{port}/v1", BEARER)
                loop = asyncio.get_running_loop()
                began = loop.time()
                async with connected(address) as (_, ear, _):
                    await ear.wait(ConnectionUp)
                assert not [event for event in ear.told if isinstance(event, ConnectionDown)]
                return loop.time() - began

    took_s = asyncio.run(scene())
    assert took_s < 9.0  # the timeout of one attempt: the first attempt succeeded


def test_clear_text_in_the_house_tries_ipv4_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def scene() -> None:
        async with (
            ws.serve(stay, "127.0.0.1", 0) as server,
            ws.serve(stay, "::1", port_of(server), process_request=lambda *_: asked.append(1)),
        ):
            names(monkeypatch, nas_lan=["::1", "127.0.0.1"])
            async with connected(ServerAddress(f"ws://nas.lan:{port_of(server)}/v1")) as (
                _,
                ear,
                _,
            ):
                await ear.wait(ConnectionUp)

    asyncio.run(scene())
    assert asked == []


@pytest.mark.parametrize(("first", "second"), [("127.0.0.1", "::1"), ("127.0.0.1", "127.0.0.2")])
def test_clear_text_in_the_house_tries_the_next_address(
    first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parleyd.realtime.dialing.EACH_S", 0.2)

    async def scene() -> None:
        async with ws.serve(stay, second, 0) as server:
            names(monkeypatch, nas_lan=[first, second])
            with black_hole(first, port_of(server)):
                async with connected(ServerAddress(f"ws://nas.lan:{port_of(server)}/v1")) as (
                    _,
                    ear,
                    _,
                ):
                    await ear.wait(ConnectionUp)
                assert not [event for event in ear.told if isinstance(event, ConnectionDown)]

    asyncio.run(scene())


def test_closed_port_is_named_instead_of_the_network() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            down = asyncio.run(first_down(ServerAddress(f"ws://{host}:{port}/v1")))
            assert down.reason == (
                f"nothing listens at {host} port {port}: check that the server runs, and the port"
            )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "the name realtime.test is unknown"),
        (
            socket.gaierror(socket.EAI_AGAIN, "x"),
            "cannot be looked up at the moment: check the network",
        ),
    ],
)
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_unknown_name_is_reported_as_such(
    error: OSError, words: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, realtime_test=error)
    assert words in asyncio.run(first_down(ServerAddress(f"{scheme}://realtime.test/v1"))).reason


def test_certificate_of_an_unknown_authority_gets_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        names(monkeypatch, realtime_test=["127.0.0.1"])
        async with tls_server(certificate(tmp_path, "realtime.test")) as port:
            down = await first_down(ServerAddress(f"wss://realtime.test:{port}/v1", BEARER))
        assert "an authority that this device does not trust" in down.reason

    asyncio.run(scene())


def test_certificate_for_another_name_is_reported_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        path = certificate(tmp_path, "other.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        names(monkeypatch, realtime_test=["127.0.0.1"])
        async with tls_server(path) as port:
            down = await first_down(ServerAddress(f"wss://realtime.test:{port}/v1", BEARER))
        assert down.reason == (
            "the certificate of realtime.test is for another name: check realtime.url"
        )

    asyncio.run(scene())


def test_expired_certificate_is_reported_as_a_clock_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        path = certificate(tmp_path, "realtime.test", days=-1)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        names(monkeypatch, realtime_test=["127.0.0.1"])
        async with tls_server(path) as port:
            down = await first_down(ServerAddress(f"wss://realtime.test:{port}/v1", BEARER))
        assert "check this device's clock" in down.reason

    asyncio.run(scene())


@pytest.mark.parametrize("reply", [b"", status("400 Bad Request")])
def test_server_without_tls_is_reported_as_such(reply: bytes) -> None:
    async def scene() -> None:
        async with Raw(reply).running() as server:
            down = await first_down(ServerAddress(f"wss://localhost:{server.port}/v1", BEARER))
        assert "TLS" in down.reason
        assert f"localhost port {server.port}" in down.reason

    asyncio.run(scene())


def test_server_with_tls_at_a_ws_address_is_reported_as_such(tmp_path: Path) -> None:
    async def scene() -> None:
        async with tls_server(certificate(tmp_path, "localhost")) as port:
            down = await first_down(ServerAddress(f"ws://localhost:{port}/v1"))
        assert "whether it requires wss://" in down.reason

    asyncio.run(scene())


def test_server_that_accepts_silently_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parleyd.realtime.connection.OPEN_TIMEOUT_S", 0.3)

    async def scene() -> None:
        async with Raw(hangs=True).running() as server:
            down = await first_down(ServerAddress(f"ws://127.0.0.1:{server.port}/v1"))
        assert down.reason == (
            "127.0.0.1 accepts the connection but does not answer: check the server"
        )

    asyncio.run(scene())


# --- the rim of the tasks -----------------------------------------------------------------


@pytest.mark.parametrize("task_name", ["connection-sender", "connection-keepalive"])
def test_failed_task_leaves_a_traceback_and_a_new_socket(
    task_name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))
    deaths = iter([RuntimeError("rhubarb")])

    def die_once(*args: object) -> object:
        for death in deaths:
            raise death
        return real(*args)  # type: ignore[arg-type]

    async def scene() -> None:
        async with (
            ws.serve(stay, "127.0.0.1", 0) as server,
            connected(ServerAddress(f"ws://127.0.0.1:{port_of(server)}/v1")) as (
                connection,
                ear,
                _,
            ),
        ):
            await ear.wait(ConnectionUp)
            connection.send(ev.DeleteItem(item_id="x"))
            await ear.wait(ConnectionUp, 2)
            (down,) = await ear.wait(ConnectionDown)
            assert down == ConnectionDown("an error in Parley itself: see the log")

    if task_name == "connection-sender":
        real = link_module.encode  # type: ignore[attr-defined]
        monkeypatch.setattr(link_module, "encode", die_once)
    else:
        real = Keepalive.next  # type: ignore[assignment]
        monkeypatch.setattr(Keepalive, "next", die_once)
    asyncio.run(scene())
    (record,) = [r for r in caplog.records if r.exc_info]
    assert task_name in record.getMessage()
    assert "rhubarb" in caplog.text


def test_listener_that_raises_does_not_end_the_link(caplog: pytest.LogCaptureFixture) -> None:
    ups = 0
    twice = asyncio.Event()

    def listen(event: object) -> None:
        nonlocal ups
        ups += isinstance(event, ConnectionUp)
        if ups == 2:
            twice.set()
        raise RuntimeError("rhubarb")

    async def scene() -> None:
        async with ws.serve(lambda s: s.send("{}"), "127.0.0.1", 0) as server:
            task = asyncio.create_task(
                RealtimeConnection(
                    ServerAddress(f"ws://127.0.0.1:{port_of(server)}/v1"), listen
                ).run()
            )
            async with asyncio.timeout(20):
                await twice.wait()
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "rhubarb" in caplog.text


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        ("M\udcfcnchen.mp3", "M\ufffdnchen.mp3"),
        ("\ud83d\udc69 \udcff", "\U0001f469 \ufffd"),
        ("plain", "plain"),
        ("\x00\x1b\u2028", "\x00\x1b\u2028"),
    ],
)
def test_result_with_any_characters_is_sent(output: str, sent: str) -> None:
    async def scene() -> None:
        received: asyncio.Queue[str] = asyncio.Queue()

        async def talk(connection: ws.ServerConnection) -> None:
            async for message in connection:
                received.put_nowait(str(message))

        async with (
            ws.serve(talk, "127.0.0.1", 0) as server,
            connected(ServerAddress(f"ws://127.0.0.1:{port_of(server)}/v1")) as (
                connection,
                ear,
                _,
            ),
        ):
            await ear.wait(ConnectionUp)
            item = {"type": "function_call_output", "call_id": "c", "output": output}
            connection.send(ev.CreateItem(item=item))
            event = ev.decode_client(await received.get())
            assert isinstance(event, ev.CreateItem)
            assert event.item["output"] == sent
            assert not [told for told in ear.told if isinstance(told, ConnectionDown)]

    asyncio.run(scene())


@pytest.mark.slow
def test_slow_server_gets_longer_timeouts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It delays every handshake for 1 s: 0.4 and 0.8 s are too short, 1.6 s is enough."""
    monkeypatch.setattr("parleyd.realtime.connection.OPEN_TIMEOUT_S", 0.4)
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))
    caplog.set_level(logging.CRITICAL, "websockets.server")  # it logs every client that leaves

    async def hold(connection: ws.ServerConnection, request: object) -> None:
        await asyncio.sleep(1.0)

    async def talk(socket: ws.ServerConnection) -> None:
        await socket.wait_closed()

    async def scene() -> None:
        async with ws.serve(talk, "127.0.0.1", 0, process_request=hold) as server:
            ear = Ear()
            connection = RealtimeConnection(ServerAddress(f"ws://127.0.0.1:{port_of(server)}"), ear)
            task = asyncio.create_task(connection.run())
            await ear.wait(ConnectionUp)
            assert sum(isinstance(told, ConnectionDown) for told in ear.told) == 2
            task.cancel()

    asyncio.run(scene())
