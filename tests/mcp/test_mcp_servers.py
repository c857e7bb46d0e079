"""All MCP servers together: what the session gets, and which calls run."""

import asyncio
import logging
import subprocess
import sys

import pytest

from parleyd import config
from parleyd.core.events import AfterTool
from parleyd.errors import ParleyError
from parleyd.mcp.messages import FromChild, ListedTool, ServerAway, ServerListed
from parleyd.mcp.servers import MOST_FUNCTIONS, McpServers, opening
from parleyd.skills.registry import SkillRegistry
from tests.mcp.pretend_home import PROMPT

HOME = """
[home]
area = "Kitchen"
[[skills.mcp]]
label = "home"
where = "here"
url = "http://ha:8123/api/mcp"
[[skills.mcp]]
label = "nas"
where = "here"
url = "http://nas/mcp"
allowed_tools = ["look", "erase"]
"""


def tools(*names: str) -> tuple[ListedTool, ...]:
    return tuple(ListedTool(name, f"{name}.", {"type": "object"}) for name in names)


class Home:
    """The servers of `HOME`; their children are not started."""

    def __init__(self, text: str = HOME, taken: tuple[str, ...] = ()) -> None:
        self.changes = 0
        self.servers = McpServers(config.parse(text), taken, self._changed, {})

    def _changed(self) -> None:
        self.changes += 1

    def take(self, label: str, message: FromChild) -> None:
        self.servers._servers[label]._take(message)

    @property
    def names(self) -> list[str]:
        return [function["name"] for function in self.servers.declarations()]


def test_functions_of_all_servers_are_offered_and_each_has_a_guard() -> None:
    home = Home()
    home.take("home", ServerListed(tools("HassLightSet"), PROMPT))
    home.take("nas", ServerListed(tools("look", "erase", "hidden")))
    assert home.names == ["home_HassLightSet", "nas_look", "nas_erase"]
    assert sorted(home.servers.guards()) == sorted(home.names)
    assert home.changes == 2


def test_same_listing_again_changes_nothing() -> None:
    home = Home()
    for _ in range(3):
        home.take("nas", ServerListed(tools("look", "erase")))
    assert home.changes == 1


def test_room_is_told_unless_the_prompt_knows_it() -> None:
    home = Home()
    assert home.servers.instructions().startswith("This speaker is in the room Kitchen.")
    home.take("home", ServerListed((), PROMPT))
    assert (
        "About the functions that begin with home_:\nUse the tools" in home.servers.instructions()
    )
    assert "in the room Kitchen" in home.servers.instructions()
    home.take("home", ServerListed((), "You are in area Kitchen and all generic commands ..."))
    assert "in the room Kitchen" not in home.servers.instructions()


def test_prompt_of_another_server_is_not_asked_for() -> None:
    home, nas = config.parse(HOME).skills.mcp
    assert opening(home, "device1", {}).prompt
    assert opening(home, "device1", {}).meta == {"io.home-assistant/device_id": "device1"}
    assert not opening(nas, "device1", {}).prompt
    assert opening(nas, "device1", {}).meta == {}


def test_session_gets_no_more_functions_than_servers_take() -> None:
    home = Home(taken=tuple(f"own{n}" for n in range(100)))
    home.take("home", ServerListed(tools(*(f"tool{n}" for n in range(60)))))
    assert len(home.names) == MOST_FUNCTIONS - 100


def test_key_that_is_missing_is_named() -> None:
    text = HOME.replace('api/mcp"', 'api/mcp"\nkey = "HOME_MCP_KEY"', 1)
    with pytest.raises(ParleyError, match="/etc/parley/home_mcp_key"):
        Home(text)


def test_function_runs_only_if_the_core_has_seen_its_guard() -> None:
    """A function that has just appeared: the core may not know yet that it needs a yes."""
    home = Home()
    home.take("nas", ServerListed(tools("erase")))
    registry = SkillRegistry([], more=home.servers)

    async def body() -> None:
        unknown = await registry.call("nas_erase", {})
        assert unknown.output.startswith("There is no function nas_erase")
        away = await registry.call("nas_erase", {}, guarded=True)
        assert away.output == "It cannot be used now: it was not reached yet."
        assert away.after is AfterTool.RESPOND
        gone = await registry.call("nas_look", {}, guarded=True)
        assert gone.output.startswith("There is no function nas_look")

    home.servers._servers["nas"]._away = "it was not reached yet"
    asyncio.run(body())


@pytest.mark.slow
def test_daemon_without_servers_imports_nothing_for_them() -> None:
    code = "import sys, parleyd.app.daemon; print('parleyd.mcp' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == "False\n"


def test_server_that_comes_and_goes_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    home = Home()
    for _ in range(5):
        home.take("nas", ServerListed(tools("look", "erase")))
        home.take("nas", ServerAway("it sends too much"))
    home.take("nas", ServerAway("it does not answer"))
    home.take("nas", ServerListed(tools("look", "erase")))
    assert [record.getMessage() for record in caplog.records] == [
        "connected to the MCP server nas: 2 tools",
        "the MCP server nas is away: it sends too much; trying again and again",
        "connected to the MCP server nas: 2 tools",
        "the MCP server nas is away: it does not answer; trying again and again",
        "connected to the MCP server nas: 2 tools",
    ]
