"""A measurement over the real socket ends when its client leaves, however it leaves."""

import asyncio
import socket
import threading
from pathlib import Path

from parleyd.control.replies import AnyReply, Done
from parleyd.control.requests import ActRequest, MeasureRequest
from tests.control.socket_rig import WITHIN_S, Client, serving

MEASURE = b'{"type":"measure","id":7,"what":"silence"}'


class Measuring:
    """Answers a `measure` never, and reports what becomes of it."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    async def answer(self, request: ActRequest) -> AnyReply:
        if not isinstance(request, MeasureRequest):
            return Done(id=request.id)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


def test_client_that_leaves_ends_its_measurement(tmp_path: Path) -> None:
    measuring = Measuring()
    with serving(tmp_path, answer=measuring.answer) as (_, path):
        client = Client(path)
        client.socket.sendall(MEASURE + b"\n")
        assert measuring.begun.wait(WITHIN_S)
        assert not measuring.ended.is_set()
        client.close()
        assert measuring.ended.wait(WITHIN_S)


def test_client_that_only_stops_to_send_has_left(tmp_path: Path) -> None:
    measuring = Measuring()
    with serving(tmp_path, answer=measuring.answer) as (_, path):
        client = Client(path)
        client.socket.sendall(MEASURE + b"\n")
        assert measuring.begun.wait(WITHIN_S)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line()["code"] == "stopped"
        assert measuring.ended.is_set()


def test_other_clients_are_served_during_a_measurement(tmp_path: Path) -> None:
    measuring = Measuring()
    with serving(tmp_path, answer=measuring.answer) as (_, path):
        Client(path).socket.sendall(MEASURE + b"\n")
        assert measuring.begun.wait(WITHIN_S)
        assert Client(path).ask(b'{"type":"stop","id":3}') == {"type": "done", "id": 3}


def test_server_that_ends_takes_its_measurement_along(tmp_path: Path) -> None:
    measuring = Measuring()
    with serving(tmp_path, answer=measuring.answer) as (server, path):
        Client(path).socket.sendall(MEASURE + b"\n")
        assert measuring.begun.wait(WITHIN_S)
        server.close()
        assert measuring.ended.wait(WITHIN_S)


def test_measure_needs_a_known_step_and_volumes_in_range(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, path):
        client = Client(path)
        for line in (
            b'{"type":"measure"}',
            b'{"type":"measure","what":"room"}',
            b'{"type":"measure","what":"sweeps","volumes":[0]}',
            b'{"type":"measure","what":"sweeps","volumes":[101]}',
            b'{"type":"measure","what":"sweeps","volumes":[1,2,3,4,5,6,7]}',
            b'{"type":"measure","what":"sweeps","volumes":[NaN]}',
        ):
            assert client.ask(line)["code"] == "bad_request"
