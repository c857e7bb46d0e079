"""`parley page` under floods, slow peers and bytes that no browser sends."""

import socket
import threading

import pytest

from parleyd.page.viewers import MOST_VIEWERS
from tests.page.page_rig import WITHIN_S, PageRig, WebClient, until

pytestmark = pytest.mark.slow


def test_flood_of_strangers_takes_nothing_of_a_user(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    client, stranger = place.client(page), WebClient(page)
    statuses = [stranger.ask("/api/settings").status for _ in range(250)]
    assert set(statuses) == {401, 429}
    assert client.ask("/api/settings").status == 200


def test_flood_is_refused_and_the_daemon_hears_little_of_it(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page()
    client = place.client(page)
    statuses = [client.ask("/api/volume", {"percent": n % 100}).status for n in range(120)]
    assert statuses[0] == 200
    assert 429 in statuses
    assert set(statuses) == {200, 429}
    assert len(speaker.asked()) == statuses.count(200)


def test_places_of_idle_connections_are_taken_by_new_ones(place: PageRig) -> None:
    place.speaker()
    page = place.page()
    client = place.client(page)
    stream = place.stream(client)
    held = [socket.create_connection(("127.0.0.1", page.port), WITHIN_S) for _ in range(60)]
    assert client.ask("/").status == 200
    until(lambda: sum(_has_ended(connection) for connection in held) >= 13, "13 lost their place")
    assert not _has_ended(held[-1])
    stream.wait(lambda got: got["status"]["connected"])  # it is not idle
    for connection in held:
        connection.close()


def _has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_slow_requests_end_by_themselves(place: PageRig) -> None:
    """A request that never ends, a byte a second, a body that never comes, and silence."""
    place.speaker()
    page = place.page()
    client = place.client(page)
    head = f"POST /api/listen HTTP/1.1\r\nHost: {client.name}\r\nOrigin: http://{client.name}\r\n"
    body = (
        head
        + f"Cookie: {client.cookie}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    late: list[bytes] = []
    peers = [(b"", False), (head.encode(), False), (head.encode(), True), (body.encode(), False)]
    ends = [
        threading.Thread(target=_held, args=(page.port, data, trickles, late))
        for data, trickles in peers
    ]
    for thread in ends:
        thread.start()
    for thread in ends:
        thread.join(WITHIN_S)
        assert not thread.is_alive()
    assert b" 408 " in b"".join(late)


def _held(port: int, data: bytes, trickles: bool, kept: list[bytes]) -> None:
    """Hold a connection until the other side ends it."""
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as connection:
        connection.settimeout(1.0)
        connection.sendall(data)
        while True:
            try:
                if trickles:
                    connection.sendall(b"x")
                if not (answer := connection.recv(1 << 12)):
                    return
                kept.append(answer)
            except TimeoutError:
                continue
            except OSError:
                return


def test_stream_that_is_not_read_ends_and_others_continue(place: PageRig) -> None:
    speaker, page = place.speaker(), place.page()
    client = place.client(page)
    streams = [place.stream(client) for _ in range(MOST_VIEWERS)]
    full = client.ask("/api/events")
    assert (full.status, full.json["error"]) == (503, "too_many")
    for stream in streams[1:]:
        stream.close()
    for number in range(2000):
        speaker.show("thinking", f"{number} " + "x" * 2000)
    speaker.show("idle", "the last")
    other = place.stream(client)
    other.wait(lambda got: got["status"]["detail"] == "the last")
    assert page.memory_mb() < 60


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /api/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b;" * 2000 + b"\r\n\r\n",
    ],
)
def test_bytes_that_no_browser_sends_are_refused(data: bytes, place: PageRig) -> None:
    place.speaker()
    page = place.page()
    with socket.create_connection(("127.0.0.1", page.port), WITHIN_S) as connection:
        connection.sendall(data)
        answer = b""
        while b"\r\n" not in answer and (more := connection.recv(1 << 12)):
            answer += more
    assert answer.split(b" ")[1][:1] == b"4"
    assert WebClient(page).ask("/").status == 200
    assert "Traceback" not in page.told()
