"""A control server on a real socket, and clients that need not behave."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parleyd.control.place import Place
from parleyd.control.replies import AnyReply, Done
from parleyd.control.requests import ActRequest, StatusRequest
from parleyd.control.server import ControlServer

WITHIN_S = 30.0

_open: list["Client"] = []


class Client:
    """A raw connection that reads lines; closed at the end of `serving`."""

    def __init__(self, path: Path, greeted: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(WITHIN_S)
        self.socket.connect(str(path))
        self._file = self.socket.makefile("rb")
        _open.append(self)
        if greeted:
            assert self.line()["type"] == "hello"

    def line(self) -> Any:
        """The next line; {} at the end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            if line := self._file.readline():
                return json.loads(line)
        return {}

    def ask(self, line: bytes) -> Any:
        self.socket.sendall(line + b"\n")
        return self.line()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


async def done(request: ActRequest) -> AnyReply:
    """Answer every request, without a speaker."""
    if isinstance(request, StatusRequest):
        raise RuntimeError("a fault of the daemon")
    return Done(id=request.id)


@contextlib.contextmanager
def serving(folder: Path, **options: Any) -> Iterator[tuple[ControlServer, Path]]:
    """Serve inside the block; all clients are closed at its end."""
    path = folder / "control"
    server = ControlServer(Place(path, shared=False), options.pop("answer", done), **options)
    server.start()
    try:
        yield server, path
    finally:
        server.close()
        while _open:
            _open.pop().close()
