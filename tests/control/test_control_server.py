"""The control server on a real socket: many, slow, rude and unknown clients."""

import asyncio
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import until

from parleyd.control import clients
from parleyd.control.place import Place, candidates, own_place
from parleyd.control.replies import (
    LONGEST_LINE,
    Done,
    LevelsMeasured,
    Logged,
    StateChanged,
)
from parleyd.control.server import MOST_CLIENTS, ControlServer
from parleyd.errors import ControlError
from tests.control.socket_rig import WITHIN_S, Client, serving

STATE = StateChanged(indication="idle", detail="")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[ControlServer, Path]]:
    with serving(tmp_path) as both:
        yield both


def test_requests_are_answered_in_order(running: tuple[ControlServer, Path]) -> None:
    client = Client(running[1])
    client.socket.sendall(b'{"type":"stop","id":1}\n{"type":"listen","id":2}\n{"type":"st')
    assert [client.line() for _ in range(2)] == [
        {"type": "done", "id": 1},
        {"type": "done", "id": 2},
    ]
    assert client.ask(b'op","id":3}') == {"type": "done", "id": 3}


def serve_as_later_version(listening: socket.socket) -> None:
    """Serve one client with a type that it does not know; end with a broken line."""
    song, state = b'{"type":"song"}\n', b'{"type":"state","indication":"%s","detail":""}\n'
    connection, _ = listening.accept()
    with connection:
        connection.sendall(song + b'{"type":"hello","protocol":1,"version":"9"}\n')
        connection.recv(999)
        connection.sendall(song + b'{"type":"done"}\n' + song + state % b"idle" + song)
        connection.sendall(state % b"muted" + b'{"type":"state"}\n')


def test_client_ignores_types_of_a_later_version(tmp_path: Path) -> None:
    from parleyd.control.client import ControlClient
    from parleyd.control.requests import StopRequest

    (tmp_path / "parley").mkdir()
    with ThreadPoolExecutor(1) as pool, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "parley/control"))
        listening.listen()
        pool.submit(serve_as_later_version, listening)
        with ControlClient({"XDG_STATE_HOME": str(tmp_path)}) as client:
            assert client.ask(StopRequest(), Done) == Done()
            events = client.events()
            assert next(events) == STATE
            assert next(events) == StateChanged(indication="muted", detail="")
            with pytest.raises(ControlError, match="cannot be read"):
                next(events)


def test_wrong_lines_get_errors_and_the_connection_lives(
    running: tuple[ControlServer, Path],
) -> None:
    client = Client(running[1])
    fields = (b'{"type":"stop","id":"x"}', b'{"type":"say","text":" \\n"}')
    for line in (b"", b"\xff\xfe", *fields, b'{"type":"\xc3("}', b"[" * 50_000):
        assert client.ask(line)["code"] == "bad_request"
    assert client.ask(b'{"type":"stop"}')["type"] == "done"


def test_request_that_fails_is_an_error_for_its_client_only(
    running: tuple[ControlServer, Path], caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(running[1])
    assert client.ask(b'{"type":"status","id":5}') == {
        "type": "error", "id": 5, "code": "failed", "message": "see the daemon's log"
    }  # fmt: skip
    assert "a fault of the daemon" in caplog.text
    assert client.ask(b'{"type":"stop"}')["type"] == "done"


def test_longest_line_passes_and_one_byte_more_ends_the_connection(
    running: tuple[ControlServer, Path],
) -> None:
    line = b'{"type":"stop","x":"%s"}'
    fits = line % (b"y" * (LONGEST_LINE - len(line) + 2))
    assert len(fits) == LONGEST_LINE
    client = Client(running[1])
    assert client.ask(fits)["type"] == "done"
    assert client.ask(fits.replace(b"y", b"yy", 1))["code"] == "too_long"
    assert client.line() == {}
    assert Client(running[1]).ask(b'{"type":"stop"}')["type"] == "done"


def test_hundred_clients_get_32_places_and_68_refusals(
    running: tuple[ControlServer, Path],
) -> None:
    with ExitStack() as stack:
        lines, served = [], []
        for _ in range(100):
            client = Client(running[1], greeted=False)
            stack.callback(client.close)
            lines.append(line := client.line())
            if line["type"] == "hello":
                served.append(client)
        assert len(served) == MOST_CLIENTS
        refusals = [line for line in lines if line["type"] == "error"]
        assert {line["code"] for line in refusals} == {"full"}
        assert len(refusals) == 100 - MOST_CLIENTS
        assert all(c.ask(b'{"type":"stop"}')["type"] == "done" for c in served)
        served[0].close()
        next_ = Client(running[1], greeted=False)
        while next_.line()["type"] != "hello":  # until the thread has seen the end
            next_ = Client(running[1], greeted=False)


def test_disconnects_in_the_middle_leave_nothing(
    running: tuple[ControlServer, Path], caplog: pytest.LogCaptureFixture
) -> None:
    server, path = running
    for part in (b"", b'{"type"', b'{"type":"stop"}\n' * 40, b"x" * LONGEST_LINE, b"x" * 99_999):
        for _ in range(3):
            client = Client(path, greeted=False)
            client.socket.setblocking(False)
            if part:
                client.socket.send(part)
            client.close()
    assert Client(path).ask(b'{"type":"stop"}')["type"] == "done"
    assert caplog.text == ""
    asyncio.run(until(lambda: len(server._clients) <= 1, WITHIN_S))


def test_half_closed_client_gets_its_answers(running: tuple[ControlServer, Path]) -> None:
    client = Client(running[1])
    client.socket.sendall(b'{"type":"stop","id":9}\n')
    client.socket.shutdown(1)
    assert client.line() == {"type": "done", "id": 9}
    assert client.line() == {}


def test_subscriber_gets_its_topics_and_no_others(running: tuple[ControlServer, Path]) -> None:
    server, path = running
    client = Client(path)
    server.publish(STATE)
    assert client.ask(b'{"type":"subscribe","topics":["log"]}')["type"] == "done"
    server.publish(STATE)
    server.publish(Logged(name="wake", fields={"keyword": "alexa"}))
    assert client.line() == {"type": "log", "name": "wake", "fields": {"keyword": "alexa"}}
    assert client.ask(b'{"type":"subscribe","topics":[]}')["type"] == "done"
    server.publish(Logged(name="wake", fields={}))
    assert client.ask(b'{"type":"stop"}')["type"] == "done"


def test_slow_reader_loses_events_with_their_number_and_delays_no_other(
    running: tuple[ControlServer, Path],
) -> None:
    server, path = running
    slow, quick = Client(path), Client(path)
    for client in (slow, quick):
        assert client.ask(b'{"type":"subscribe","topics":["log"]}')["type"] == "done"
    published = 4000
    for number in range(published):
        server.publish(Logged(name="n", fields={"number": number, "text": "x" * 200}))
        assert quick.line()["fields"]["number"] == number
    numbers: list[int] = []
    dropped = 0
    while not numbers or numbers[-1] != published - 1:
        line = slow.line()
        if line["type"] == "dropped":
            dropped += line["count"]
            assert line["count"] > 0
        else:
            numbers.append(line["fields"]["number"])
    assert numbers == sorted(numbers)
    assert dropped > 0
    assert len(numbers) + dropped == published


def test_levels_are_read_only_while_a_client_wants_them(tmp_path: Path) -> None:
    reads, numbers = threading.Semaphore(0), count()

    def levels() -> LevelsMeasured:
        reads.release()
        return LevelsMeasured(buffered_ms=next(numbers))

    with serving(tmp_path, levels=levels) as (server, path):
        client = Client(path)
        client.ask(b'{"type":"stop"}')
        assert not reads.acquire(blocking=False)
        client.ask(b'{"type":"subscribe","topics":["levels"]}')
        assert server.measures
        assert [client.line()["buffered_ms"] for _ in range(3)] == [0, 1, 2]
        client.ask(b'{"type":"subscribe","topics":["state"]}')
        assert not server.measures


def test_client_that_never_asks_loses_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "STALLED_S", 0.05)
    with serving(tmp_path) as (_, path):
        subscribed, idle = Client(path), Client(path)
        subscribed.ask(b'{"type":"subscribe","topics":["state"]}')
        assert idle.line() == {}
        assert subscribed.ask(b'{"type":"stop"}')["type"] == "done"


def test_end_of_the_server_ends_clients_and_removes_the_socket(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, path):
        client = Client(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        server.close()
        assert client.line() == {}
        assert not path.exists()
        server.publish(STATE)  # neither raises nor blocks


def test_socket_of_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "control").write_bytes(b"")
    with serving(tmp_path) as (_, path):
        assert Client(path).ask(b'{"type":"stop"}')["type"] == "done"


def test_long_path_is_served(tmp_path: Path) -> None:
    from parleyd.control.client import ControlClient
    from parleyd.control.replies import Done
    from parleyd.control.requests import StopRequest

    home = tmp_path / ("x" * 120) / "parley"
    home.mkdir(parents=True)
    with serving(home), ControlClient({"XDG_STATE_HOME": str(home.parent)}) as client:
        assert client.ask(StopRequest(id=1), Done) == Done(id=1)


def test_folder_that_is_missing_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path / "none") as (server, _):
        server.publish(STATE)
    assert "no control socket" in caplog.text
    assert "No such file or directory; the commands find no daemon" in caplog.text


def test_places_of_service_and_user() -> None:
    assert own_place({"RUNTIME_DIRECTORY": "/run/parley"}) == Place(
        Path("/run/parley/control"), shared=True
    )
    environ = {"XDG_STATE_HOME": "/home/me/s"}
    assert own_place(environ) == Place(Path("/home/me/s/parley/control"), shared=False)
    assert list(candidates(environ)) == [
        Path("/home/me/s/parley/control"),
        Path("/run/parley/control"),
    ]


# --- any bytes ----------------------------------------------------------------------------

PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b'{"type":"stop","id":1}\n', b'{"type":"subscribe","topics":["log"]}\n', b"\n", b"{", b'"',
         b"[" * 9999, b"\xff", b"x" * 40_000]
    ),
)  # fmt: skip


@pytest.mark.slow
def test_any_bytes_end_nothing_but_their_connection(
    running: tuple[ControlServer, Path], caplog: pytest.LogCaptureFixture
) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(PIECES, max_size=8))
    def fuzz(pieces: list[bytes]) -> None:
        client = Client(running[1])
        try:
            for piece in pieces:
                client.socket.sendall(piece)
            client.socket.shutdown(1)
            while line := client.line():
                assert line["type"] in ("done", "error")
        except (BrokenPipeError, ConnectionResetError):
            pass  # a line was too long
        finally:
            client.close()

    fuzz()
    assert Client(running[1]).ask(b'{"type":"stop"}')["type"] == "done"
    assert caplog.text == ""


@pytest.mark.parametrize("steps", range(1, 12))
def test_server_that_ends_while_a_peer_leaves_closes_its_socket(steps: int) -> None:
    """At each step of the event loop after the peer has left."""

    async def leave_and_end() -> int:
        ours, its = socket.socketpair()
        connection = clients.ControlConnection(its, done_line, lambda: None)
        serving = asyncio.create_task(connection.run())
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 100)
        ours.close()
        for _ in range(steps):
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait([serving])
        await asyncio.sleep(0)
        return its.fileno()

    assert asyncio.run(leave_and_end()) == -1


async def done_line(line: bytes, gone: clients.Gone) -> Done:
    return Done(id=1)
