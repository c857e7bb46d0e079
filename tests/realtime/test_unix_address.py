"""Addresses of Unix sockets, in the form of the embedded server."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parleyd.realtime.connection import ServerAddress
from parleyd.realtime.unix_address import UnixAddress, is_ours


@pytest.mark.parametrize(
    "path", ["/run/parley/x/realtime", "/run/user/1000/a b?c#d%41;ü", "/tmp//double"]
)
def test_path_survives_the_url(path: str) -> None:
    address = ServerAddress.embedded(UnixAddress(path).url)
    parsed = UnixAddress.parse(address.url)
    assert parsed == UnixAddress(path, "model=embedded")
    assert parsed.request == "ws://localhost/v1/realtime?model=embedded"


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:8080/v1/realtime", "wss://api.openai.com/v1/realtime", ""]
)
def test_other_addresses_are_not_unix_addresses(url: str) -> None:
    assert UnixAddress.parse(url) is None


def test_socket_of_this_process_is_ours(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        assert is_ours(client)


def test_socket_of_another_process_is_not_ours(tmp_path: Path) -> None:
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "print(); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            assert not is_ours(client)
        other.stdin.close()
