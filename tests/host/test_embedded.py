"""The embedded server stays there for as long as the daemon does: real processes and ports."""

import asyncio
import contextlib
import os
import signal
import socket

import pytest
from waiting import until

from parleyd.host import embedded
from parleyd.host.embedded import EmbeddedServer

BACK_WITHIN_S = 60.0


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
                await until(lambda: "did not start" in caplog.text, BACK_WITHIN_S)
            await until(lambda: _listens(port), BACK_WITHIN_S)
            assert not keeping.done()
        finally:
            keeping.cancel()
            await server.stop()

    asyncio.run(scene())
    assert "ended (-9)" in caplog.text
