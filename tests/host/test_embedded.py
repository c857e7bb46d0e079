"""The embedded server stays there for as long as the daemon does: real processes and ports."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

import pytest

from parleyd.host import embedded
from parleyd.host.embedded import EmbeddedServer

BACK_WITHIN_S = 60.0
POLL_S = 0.05


def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_server_that_died_comes_back_on_its_port_even_if_its_first_new_start_fails(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "RESTART_AFTER_S", 0.01)

    async def scene() -> None:
        server = EmbeddedServer()
        port = int((await server.start()).split(":")[2].split("/")[0])
        keeping = asyncio.create_task(server.keep_alive())
        try:
            process = server._process  # its end cannot be brought about from outside
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            with socket.create_server(("127.0.0.1", port)):  # somebody else was quicker
                await _until(lambda: "did not start" in caplog.text)
            await _until(lambda: _listens(port))
            assert not keeping.done()
        finally:
            keeping.cancel()
            await server.stop()

    asyncio.run(scene())
    assert "ended (-9)" in caplog.text


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BACK_WITHIN_S):
        while not holds():  # noqa: ASYNC110  of another process
            await asyncio.sleep(POLL_S)
