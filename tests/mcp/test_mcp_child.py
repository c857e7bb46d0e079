"""The child process with real servers of the SDK: HTTP, legacy SSE and stdio."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from parleyd import config
from parleyd.mcp import process
from parleyd.mcp.messages import LONGEST_RESULT, OpenServer, ServerListed
from parleyd.mcp.server import McpServer
from parleyd.mcp.servers import opening

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
KEY = "a-key-of-the-home"


@contextmanager
def serving(transport: str, folder: Path, port: int = 0, key: str = KEY) -> Iterator[int]:
    """The pretend home on a loopback port."""
    port = port or free_port()
    command = (sys.executable, "-m", "tests.mcp.pretend_home", transport, str(folder))
    process = subprocess.Popen([*command, "--port", str(port), "--key", key], cwd=ROOT)
    try:
        listening(port)
        yield port
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def listening(port: int) -> None:
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the pretend home does not listen")


def by_http(port: int, **more: Any) -> OpenServer:
    entry = config.McpServerConfig(
        label="home",
        where="here",
        url=f"http://127.0.0.1:{port}/api/mcp",
        key="HOME_MCP_KEY",
        **more,
    )
    return opening(entry, "device1", {"HOME_MCP_KEY": KEY})


def by_stdio(folder: Path) -> OpenServer:
    command = (sys.executable, "-m", "tests.mcp.pretend_home", "stdio", str(folder))
    entry = config.McpServerConfig(
        label="home", where="here", command=command, key="HOME_MCP_KEY", key_variable="API_TOKEN"
    )
    return opening(entry, "", {"HOME_MCP_KEY": KEY, "OPENAI_API_KEY": "another key"})


@asynccontextmanager
async def running(server: OpenServer) -> AsyncIterator[McpServer]:
    made = McpServer("home", server, lambda: None)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Any, what: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert condition(), what


async def reached(server: McpServer) -> ServerListed:
    await until(lambda: not server.away and server.listed is not None, "the server is reached")
    assert server.listed is not None
    return server.listed


def calls(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


@pytest.mark.parametrize("transport", ["http", "session", "sse", "stdio"])
def test_lamp_is_switched_on_over_every_transport(transport: str, tmp_path: Path) -> None:
    async def body(server: OpenServer) -> None:
        async with running(server) as home:
            listed = await reached(home)
            assert "intent__HassTurnOn" in [tool.name for tool in listed.tools]
            done = await home.call("intent__HassTurnOn", {"name": "Kitchen lamp"}, 20.0)
            assert (done.text, done.failed) == ("Kitchen lamp is on.", False)

    if transport == "stdio":
        asyncio.run(body(by_stdio(tmp_path)))
    else:
        with serving(transport, tmp_path) as port:
            asyncio.run(body(by_http(port)))
    (call,) = calls(tmp_path)
    assert call["arguments"]["name"] == "Kitchen lamp"
    assert call["device"] == (None if transport == "stdio" else "device1")


def test_child_starts_where_the_unit_refuses_another_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service may set no niceness: it keeps its real-time priority by the same call."""
    refuse = "def refused(_): raise PermissionError(1, 'Operation not permitted')"
    code = f"import os, runpy\n{refuse}\nos.nice = refused\n"
    code += "runpy.run_module('parleyd.mcp.child', run_name='__main__')"
    monkeypatch.setattr(process, "CHILD", ("-c", code))

    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            await reached(home)

    asyncio.run(body())


def test_prompt_and_hints_of_home_assistant_arrive(tmp_path: Path) -> None:
    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            listed = await reached(home)
            assert "Kitchen lamp, Cooker light" in listed.prompt
            hints = {tool.name: (tool.read_only, tool.destructive) for tool in listed.tools}
            assert hints["homeassistant__GetLiveContext"] == (True, None)
            assert hints["intent__HassTurnOn"] == (False, True)
            assert hints["movie_night"] == (None, None)

    with serving("http", tmp_path) as port:
        asyncio.run(body(port))


def test_command_gets_its_own_key_and_no_other(tmp_path: Path) -> None:
    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            await reached(home)
            assert not process_knows(home.pid, KEY)

    os.environ["OPENAI_API_KEY"] = "another key"
    try:
        asyncio.run(body())
    finally:
        del os.environ["OPENAI_API_KEY"]
    environment = json.loads((tmp_path / "environment").read_text())
    assert environment["API_TOKEN"] == KEY
    assert "another key" not in environment.values()


def test_redirect_to_another_server_does_not_carry_the_key(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()

    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            await until(lambda: "another address" in home.away, "the redirect is refused")

    with serving("http", other, key="") as theirs, serving("http", tmp_path) as port:
        (tmp_path / "redirect").write_text(f"http://127.0.0.1:{theirs}/api/mcp")
        asyncio.run(body(port))
    assert not (other / "requests").exists()


def test_wrong_key_is_reported(tmp_path: Path) -> None:
    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            await until(lambda: home.away == "it refuses the key (HTTP 401)", "refused")
            tried = requests(tmp_path)
            assert (await home.call("movie_night", {}, 2.0)).failed
            assert requests(tmp_path) == tried, "too many tries are banned"

    with serving("http", tmp_path, key="another") as port:
        asyncio.run(body(port))


def test_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    async def body(port: int) -> None:
        with serving("http", tmp_path, port):
            async with running(by_http(port)) as home:
                await reached(home)
                died = await home.call("misbehave", {"how": "die"}, 20.0)
                assert died.failed
                assert "not known whether it was done" in died.text
                gone = await home.call("intent__HassTurnOn", {"name": "a"}, 4.0)
                assert gone.failed
                assert "cannot be used now" in gone.text
                with serving("http", tmp_path, port):
                    await until(lambda: not home.away, "the server is back")
                    done = await home.call("intent__HassTurnOn", {"name": "b"}, 20.0)
                    assert done.text == "b is on."

    asyncio.run(body(free_port()))
    assert [call["arguments"].get("name") for call in calls(tmp_path)] == [None, "b"]


def test_session_that_the_server_has_forgotten_is_opened_again_for_the_call(tmp_path: Path) -> None:
    async def body(port: int) -> None:
        with serving("session", tmp_path, port):
            home = McpServer("home", by_http(port), lambda: None)
            task = asyncio.create_task(home.run())
            await reached(home)
        with serving("session", tmp_path, port):
            done = await home.call("intent__HassTurnOn", {"name": "a"}, 20.0)
            assert (done.text, done.failed) == ("a is on.", False)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(body(free_port()))
    assert [call["arguments"]["name"] for call in calls(tmp_path)] == ["a"]


def test_call_that_hangs_ends_in_words_and_others_go_on(tmp_path: Path) -> None:
    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            await reached(home)
            hanging = asyncio.create_task(home.call("misbehave", {"how": "hang"}, 3.0))
            done = await home.call("intent__HassTurnOn", {"name": "a"}, 20.0)
            assert done.text == "a is on."
            assert (await hanging).text == "It did not answer within 3 seconds."

    with serving("http", tmp_path) as port:
        asyncio.run(body(port))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("huge", " ... (the rest was left out)"),
        ("enormous", "The connection was lost"),
        ("raise", "Error executing tool"),
    ],
)
def test_result_of_any_size_becomes_a_bounded_text(how: str, words: str, tmp_path: Path) -> None:
    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            await reached(home)
            done = await home.call("misbehave", {"how": how}, 30.0)
            assert words in done.text
            assert len(done.text) <= LONGEST_RESULT + 40
            await until(lambda: not home.away, "the server is used again")
            assert (await home.call("movie_night", {}, 20.0)).text == "Done."

    with serving("http", tmp_path) as port:
        asyncio.run(body(port))


def test_thousands_of_tools_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "flood").write_text("2000")

    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            listed = await reached(home)
            assert 30 <= len(listed.tools) <= 64
            assert listed.left_out > 900

    asyncio.run(body())


def test_changed_tools_are_listed_again_without_a_pause(tmp_path: Path) -> None:
    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            before = await reached(home)
            assert (await home.call("misbehave", {"how": "change"}, 20.0)).text == "Changed."
            await until(lambda: home.listed is not before, "a new listing")
            assert home.listed is not None
            assert "movie_night" not in [tool.name for tool in home.listed.tools]
            gone = await home.call("movie_night", {}, 20.0)
            assert gone.failed

    asyncio.run(body())


def test_flood_of_messages_ends_the_session(tmp_path: Path) -> None:
    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            await reached(home)
            done = await home.call("misbehave", {"how": "flood"}, 55.0)
            assert done.failed
            await until(lambda: home.away == "it sends too much", "the flood is noticed")
            await until(lambda: not home.away, "another session")
            assert (await home.call("movie_night", {}, 20.0)).text == "Done."

    asyncio.run(body())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_child_that_dies_or_freezes_is_replaced(number: signal.Signals, tmp_path: Path) -> None:
    async def body(port: int) -> None:
        async with running(by_http(port)) as home:
            await reached(home)
            first = home.pid
            call = asyncio.create_task(home.call("misbehave", {"how": "hang"}, 55.0))
            await until((tmp_path / "calls").exists, "the call has begun")
            assert first is not None
            os.kill(first, number)
            assert (await call).failed
            await until(lambda: home.pid not in (None, first) and not home.away, "another child")
            assert (await home.call("movie_night", {}, 20.0)).text == "Done."

    with serving("http", tmp_path) as port:
        asyncio.run(body(port))


def test_command_ends_with_its_child(tmp_path: Path) -> None:
    async def body() -> None:
        async with running(by_stdio(tmp_path)) as home:
            await reached(home)
            first = home.pid
            asyncio.create_task(home.call("misbehave", {"how": "freeze"}, 55.0))  # noqa: RUF006
            await until((tmp_path / "calls").exists, "the call has begun")
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await until(lambda: home.pid not in (None, first) and not home.away, "another child")
        await until(lambda: not commands(tmp_path), "no command is left")

    asyncio.run(body())


def requests(folder: Path) -> int:
    """How many HTTP requests the pretend home has got."""
    return len((folder / "requests").read_text().splitlines())


def process_knows(pid: int | None, word: str) -> bool:
    """Whether arguments or environment of a process hold this word."""
    places = [Path(f"/proc/{pid}/{name}") for name in ("environ", "cmdline")]
    return any(word.encode() in place.read_bytes() for place in places)


def commands(folder: Path) -> list[str]:
    """The processes of the pretend home of this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in place.read_bytes():
                found.append(place.parent.name)
    return found
