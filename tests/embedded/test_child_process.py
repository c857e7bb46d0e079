"""The embedded server stays up as long as the daemon does: real processes and sockets."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from waiting import until

from parleyd.core.events import ConnectionDown, ConnectionUp, InputEvent
from parleyd.embedded import child_process
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime import backoff
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.unix_address import UnixAddress

pytestmark = pytest.mark.slow

BACK_WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A separate runtime directory, and servers that are replaced soon."""
    monkeypatch.setattr(child_process, "RESTART_AFTER_S", 0.01)
    monkeypatch.setattr(backoff, "STEPS_S", (0.05,))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
        yield Path(folder)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[EmbeddedServer, str]]:
    server = EmbeddedServer()
    url = await server.start()
    keeping = asyncio.create_task(server.keep_alive())
    try:
        yield server, url
        assert not keeping.done()
    finally:
        keeping.cancel()
        await server.stop()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[RealtimeConnection, list[InputEvent]]]:
    told: list[InputEvent] = []
    connection = RealtimeConnection(ServerAddress.embedded(url), told.append)
    task = asyncio.create_task(connection.run())
    try:
        yield connection, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def pid_of(server: EmbeddedServer) -> int:
    assert server._process is not None  # public methods cannot make it end
    return server._process.pid


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def tcp_sockets(pid: int) -> set[str]:
    """The inodes of a process's TCP sockets."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    lines += Path(f"/proc/{pid}/net/tcp6").read_text().splitlines()[1:]
    known = {f"socket:[{line.split()[9]}]" for line in lines}
    return known & {os.readlink(open_) for open_ in Path(f"/proc/{pid}/fd").iterdir()}


def environment(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def sessions(told: list[InputEvent]) -> Callable[[int], bool]:
    return lambda count: sum(isinstance(event, ev.SessionCreated) for event in told) >= count


def test_address_is_a_private_unix_socket_until_stop(runtime: Path) -> None:
    async def scene() -> None:
        server = EmbeddedServer()
        url = await server.start()
        assert url.startswith(f"ws+unix:{runtime}/")
        address = UnixAddress.parse(url)
        assert address is not None
        assert stat.S_IMODE(os.stat(address.path).st_mode) == 0o600
        assert stat.S_IMODE(Path(address.path).parent.stat().st_mode) == 0o700
        assert not tcp_sockets(pid_of(server))
        await server.stop()
        await server.stop()
        assert os.listdir(runtime) == []

    asyncio.run(scene())


def test_killed_server_is_replaced_and_the_connection_returns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        async with serving() as (server, url), connected(url) as (_, told):
            await until(lambda: sessions(told)(1), BACK_WITHIN_S)
            before = pid_of(server)
            os.kill(before, signal.SIGKILL)
            await until(lambda: sessions(told)(2), BACK_WITHIN_S)
            assert pid_of(server) != before
            (down,) = [event for event in told if isinstance(event, ConnectionDown)]
            assert "embedded server" in down.reason
            assert "network" not in down.reason

    asyncio.run(scene())
    assert "the embedded server ended (-9); restarting it" in caplog.text


def test_failed_restart_is_repeated_on_the_same_socket(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with serving() as (server, url), connected(url) as (_, told):
            await until(lambda: sessions(told)(1), BACK_WITHIN_S)
            with monkeypatch.context() as broken:
                broken.setattr(sys, "executable", "/bin/false")
                os.kill(pid_of(server), signal.SIGKILL)
                await until(lambda: "did not start" in caplog.text, BACK_WITHIN_S)
            await until(lambda: sessions(told)(2), BACK_WITHIN_S)

    asyncio.run(scene())


def test_failed_first_start_leaves_nothing_behind(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(child_process.OfflineSpeechError, match="did not start"):  # type: ignore[attr-defined]
        asyncio.run(EmbeddedServer().start())
    assert os.listdir(runtime) == []


THIEF = """
import os, socket, sys
path = sys.argv[1]
thief = socket.socket(socket.AF_UNIX)
try:
    thief.bind(path)
except OSError as error:
    print("not bound:", error.strerror, flush=True)
    if sys.argv[2] != "unlink":
        sys.exit()
    os.unlink(path)
    thief.bind(path)
thief.listen()
print("bound", flush=True)
# It answers the handshake like a WebSocket server, and prints the data that it then receives.
import base64, hashlib
while True:
    client, _ = thief.accept()
    head = client.recv(4096).decode()
    key = next(l.split(": ")[1] for l in head.split("\\r\\n") if l.lower().startswith("sec-websocket-key"))
    magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
    client.send(("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        f"Sec-WebSocket-Accept: {accept}\\r\\n\\r\\n").encode())
    got = b""
    client.settimeout(2)
    try:
        while data := client.recv(4096):
            got += data
    except TimeoutError:
        pass
    print("got", len(got), flush=True)
"""  # noqa: E501


def test_dead_server_cannot_be_replaced_by_another_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")

    async def scene() -> None:
        server = EmbeddedServer()
        try:
            url = await server.start()
            address = UnixAddress.parse(url)
            assert address is not None
            os.kill(pid_of(server), signal.SIGKILL)
            thief = await asyncio.create_subprocess_exec(
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "/usr/bin/python3", "-c", THIEF, address.path, "",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await thief.communicate()
            assert out.startswith(b"not bound:")
        finally:
            await server.stop()

    asyncio.run(scene())


def test_microphone_is_not_given_to_a_thief_of_the_same_user() -> None:
    """A process that may unlink the socket binds in its place, and answers the handshake."""

    async def scene() -> None:
        server = EmbeddedServer()
        url = await server.start()
        address = UnixAddress.parse(url)
        assert address is not None
        thief = await asyncio.create_subprocess_exec(
            sys.executable, "-c", THIEF, address.path, "unlink", stdout=asyncio.subprocess.PIPE
        )
        assert thief.stdout is not None
        try:
            assert b"not bound" in await thief.stdout.readline()
            assert await thief.stdout.readline() == b"bound\n"
            async with connected(url) as (connection, told):
                await until(lambda: any(isinstance(e, ConnectionDown) for e in told), BACK_WITHIN_S)
                connection.send(ev.AppendAudio(audio=bytes(960)))
                down = told[0]
                assert isinstance(down, ConnectionDown)
                assert "another process has taken the socket's place" in down.reason
                assert not any(isinstance(e, ConnectionUp) for e in told)
                line = await thief.stdout.readline()
                received = int(line.split()[1])
                assert received < 20, line  # a close frame, no audio
        finally:
            thief.kill()
            await thief.wait()
            await server.stop()

    asyncio.run(scene())


def test_children_see_no_key_in_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-1", "PICOVOICE_ACCESS_KEY": "sk-2", "XAI_API_KEY": "sk-3",
        "CREDENTIALS_DIRECTORY": "/run/credentials/sk-4", "NOTIFY_SOCKET": "@sk-5",
        "https_proxy": "http://sk-6@127.0.0.1:9", "ALL_PROXY": "socks5://sk-7@127.0.0.1:9",
        "ANYTHING_ELSE": "sk-8",
    }  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)

    async def scene() -> None:
        async with serving() as (server, _):
            family = [pid_of(server), *children(pid_of(server))]
            assert len(family) == 2  # the server and its recogniser
            for pid in family:
                environ = environment(pid)
                assert not any("sk-" in value for value in environ.values())
                assert not environ.keys() & secrets.keys()
                assert "PATH" in environ

    asyncio.run(scene())


def test_frozen_server_is_replaced_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "BEAT_S", 1.5)  # a busy machine may miss a heartbeat

    async def scene() -> None:
        async with serving() as (server, url), connected(url) as (_, told):
            await until(lambda: sessions(told)(1), BACK_WITHIN_S)
            before = pid_of(server)
            os.kill(before, signal.SIGSTOP)
            await until(lambda: sessions(told)(2), BACK_WITHIN_S)
            assert pid_of(server) != before
            for down in (event for event in told if isinstance(event, ConnectionDown)):
                assert "network" not in down.reason

    asyncio.run(scene())
    assert "the embedded server has been frozen for" in caplog.text


DAEMON = """
import asyncio
from parleyd.embedded.child_process import EmbeddedServer
async def main():
    server = EmbeddedServer()
    await server.start()
    print(server._process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    "frozen",
    [(), ("server",), ("recogniser",), ("server", "recogniser")],
    ids=["none", "server", "recogniser", "both"],
)
def test_child_processes_end_with_a_killed_daemon(runtime: Path, frozen: tuple[str, ...]) -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        server = int(daemon.stdout.readline())
        family = {"server": server, "recogniser": children(server)[0]}
        for name in frozen:
            os.kill(family[name], signal.SIGSTOP)
        daemon.kill()
    for pid in family.values():
        asyncio.run(until(lambda pid=pid: not _runs(pid), BACK_WITHIN_S))  # type: ignore[misc]
    (folder,) = runtime.iterdir()
    with socket.socket(socket.AF_UNIX) as client:  # the socket has no owner any more
        assert client.connect_ex(str(folder / "realtime")) == errno.ECONNREFUSED


def _runs(pid: int) -> bool:
    """Whether a thread is left: the first may be a zombie while others still hold the files."""
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # this thread has ended
            if " Z " not in task.read_text().partition(")")[2][:4]:
                return True
    return False


def test_frozen_server_does_not_outlive_a_stop_that_is_cancelled() -> None:
    async def scene() -> None:
        server = EmbeddedServer()
        await server.start()
        pid = pid_of(server)
        os.kill(pid, signal.SIGSTOP)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)  # it waits for the child's end
        stopping.cancel()
        await asyncio.wait([stopping])
        assert stopping.cancelled()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await server.stop()

    asyncio.run(scene())
