"""A real daemon with an MCP server of its home: a function call, a reload, a stop, and its log."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon
from lamp_server import LampServer

from parleyd.control.client import ControlClient
from parleyd.control.replies import Done
from parleyd.control.requests import ListenRequest
from tests.e2e.test_control import CONFIG
from tests.mcp.test_mcp_child import KEY, calls, process_knows, serving

WITHIN_S = 60.0
LAMP = "Kitchen lamp"


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def children(daemon: Daemon) -> list[str]:
    pid = daemon.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def home_config(server: LampServer, port: int) -> str:
    realtime = f'server = "compatible"\nurl = "ws://127.0.0.1:{server.port}/v1/realtime"'
    mcp = f'label = "home"\nwhere = "here"\nurl = "http://127.0.0.1:{port}/api/mcp"'
    return (
        CONFIG.replace('server = "embedded"', realtime)
        + f'[home]\narea = "Kitchen"\n[[skills.mcp]]\n{mcp}\nkey = "HOME_MCP_KEY"\n'
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "home"
    folder.mkdir()
    with serving("http", folder) as port:
        yield port


@pytest.fixture
def server() -> Iterator[LampServer]:
    made = LampServer("HassTurnOn", {"name": LAMP, "domain": "light"})
    yield made
    made.close()


@pytest.fixture
def daemon(
    tmp_path: Path, home: int, server: LampServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME_MCP_KEY", KEY)
    running = Daemon(tmp_path, home_config(server, home))
    try:
        running.wait("READY=1")
        yield running
    finally:
        running.close()


def test_daemon_calls_the_home_and_logs_none_of_it(
    tmp_path: Path, daemon: Daemon, server: LampServer
) -> None:
    until(lambda: bool(server.function), "the realtime server knows the functions")
    assert LAMP in server.session["instructions"]
    assert not process_knows(daemon.child(), KEY)
    with ControlClient() as control:
        control.ask(ListenRequest(), Done)
    until(lambda: bool(server.outputs), "the result reached the model")
    assert server.outputs == [f"{LAMP} is on."]
    (call,) = calls(tmp_path / "home")
    assert call["arguments"] == {"name": LAMP, "domain": "light"}
    log = daemon.log.read_text()
    assert "connected to the MCP server home" in log
    for secret in (LAMP, KEY, "Static Context"):
        assert secret not in log


def test_reload_replaces_the_child_and_a_stop_leaves_none(
    daemon: Daemon, server: LampServer
) -> None:
    until(lambda: bool(server.function), "the realtime server knows the functions")
    first = daemon.child()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait("RELOADING=1")
    daemon.wait("READY=1")
    until(lambda: not Path(f"/proc/{first}").exists(), "the first child has ended")
    until(lambda: bool(children(daemon)), "the second child has begun")
    second = daemon.child()
    assert second != first
    began = time.monotonic()
    assert daemon.end() == 0
    assert time.monotonic() - began < 5.0  # TimeoutStopSec= of the unit
    assert not Path(f"/proc/{second}").exists()
