"""The daemon's side of a child process that misbehaves: it is replaced, and explained once."""

import asyncio
import logging

import pytest

from parleyd.mcp import server as server_module
from parleyd.mcp.messages import LONGEST_ARGUMENTS, OpenServer
from parleyd.mcp.server import McpServer
from tests.mcp.fake_child import KINDS, children_of
from tests.mcp.test_mcp_child import reached, running, until

pytestmark = pytest.mark.slow
REASONS = {
    "a line without end": "its process sends nonsense",
    "a flood of lines": "its process sends too much",
    "a line of 2 MB": "its process sends nonsense",
    "nonsense": "its process sends nonsense",
    "too many tools": "its process sends nonsense",
    "nothing": "its process ended (5)",
}


@pytest.mark.parametrize("kind", REASONS)
def test_child_that_misbehaves_is_replaced_and_logged_once(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "PAUSES_S", (0.01,))
    caplog.set_level(logging.INFO)
    pids = set()

    async def body() -> None:
        async with running(OpenServer(command=("x",))) as home:
            await until(home.tried.is_set, "a reason")
            assert home.away == REASONS[kind]

            def three() -> bool:
                pids.update({home.pid} - {None})
                return len(pids) >= 3

            await until(three, "three children")
            done = await home.call("a", {}, 2.0)
            assert done.failed

    with children_of(kind):
        asyncio.run(body())
    lines = [record.getMessage() for record in caplog.records if "MCP server" in record.msg]
    assert lines == [f"the MCP server home is away: {REASONS[kind]}; trying again and again"]


def test_answers_that_nobody_asked_for_are_ignored() -> None:
    async def body() -> None:
        async with running(OpenServer(command=("x",))) as home:
            await reached(home)
            done = await home.call("a", {}, 1.0)
            assert (done.text, done.failed) == ("It did not answer within 1 seconds.", True)

    with children_of("answers"):
        asyncio.run(body())


def test_arguments_that_are_too_long_reach_no_child() -> None:
    async def body(home: McpServer) -> None:
        done = await home.call("a", {"x": "y" * LONGEST_ARGUMENTS}, 1.0)
        assert (done.text, done.failed) == ("Its arguments are too long.", True)

    asyncio.run(body(McpServer("home", OpenServer(command=("x",)), lambda: None)))


def test_every_kind_of_fake_child_is_tried() -> None:
    assert {*REASONS, "answers"} == set(KINDS)
