"""The configuration of MCP servers that Parley calls."""

import pytest

from parleyd import config
from parleyd.errors import ConfigError

HERE = "[[skills.mcp]]\nlabel = 'home'\nwhere = 'here'\n"
HOME = HERE + "url = 'http://homeassistant.local:8123/api/mcp'\n"
OTHER = HERE.replace("home", "weather") + "command = ['/bin/weather']\nallowed_tools = ['look']\n"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return caught.value.problems


@pytest.mark.parametrize("server", ["auto", "openai", "embedded", "xai", "localai", "compatible"])
def test_server_of_the_home_goes_with_every_realtime_server(server: str) -> None:
    more = "url = 'ws://nas/v1/realtime'\nmodel = 'm'\n" if server != "embedded" else ""
    more = "" if server in ("auto", "openai", "xai") else more
    settings = config.parse(f"[realtime]\nserver = '{server}'\n{more}" + HOME + OTHER)
    assert [entry.label for entry in settings.skills.mcp] == ["home", "weather"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HERE, "skills.mcp[1].url: where = \"here\" needs either url or command"),
        (HOME + "command = ['x']", "needs either url or command"),
        (HOME + "server_url = 'https://x.org'", "skills.mcp[1].server_url: is for where"),
        (HOME.replace("/api/mcp", "/mcp"), "skills.mcp[1].allowed_tools: is missing"),
        (OTHER.replace("allowed_tools = ['look']", ""), "skills.mcp[1].allowed_tools: is missing"),
        (HOME.replace("http:", "ftp:"), "skills.mcp[1].url: is not a plain address"),
        (HOME.replace("http://", "http://u:sk-secret@"), "skills.mcp[1].url: is not a plain"),
        (HOME.replace("/api/mcp", "/api/mcp?token=sk-secret"), "skills.mcp[1].url: is not a plain"),
        (HOME.replace("'home'", "'" + "a" * 25 + "'"), "at most 24 of them"),
        (HOME + OTHER.replace("'weather'", "'home_b'"), "would give two functions the same name"),
        (HOME + OTHER + OTHER.replace("'weather'", "'c'"), "has more than 2 servers"),
        (OTHER + "ask = ['lok']", "skills.mcp[1].ask: 'lok' is not in skills.mcp[1].allowed_tools"),
        (HOME + "ask = ['a']\nnever_ask = ['a']", "skills.mcp[1].never_ask: 'a' is in"),
        (OTHER + "key = 'W_KEY'\nkey_header = 'X-Key'", "skills.mcp[1].key_header: a command gets"),
        (HOME + "key = 'W_KEY'\nkey_variable = 'X'", "skills.mcp[1].key_variable: is not allowed"),
        (OTHER + "key = 'W_KEY'\nkey_variable = 'LD_PRELOAD'", "key_variable: is not allowed"),
        (OTHER + "key_variable = 'X'", "skills.mcp[1].key: is missing"),
        (OTHER + "key = 'OPENAI_API_KEY'", "OPENAI_API_KEY is only sent to OpenAI"),
        (HOME + "command = 'rm -rf sk-secret'", "a program and its arguments, as a list of texts"),
        (HOME + "call_timeout_s = 0", "skills.mcp[1].call_timeout_s: 0 is not allowed"),
        (
            HOME.replace("homeassistant.local", "example.org") + "key = 'HOME_MCP_KEY'",
            "would send the key in clear text out of the house",
        ),
        (
            "[realtime]\nserver = 'openai'\n[[skills.mcp]]\nlabel = 'a'\n"
            "server_url = 'https://x.org'\nask = ['b']",
            'skills.mcp[1].ask: needs where = "here"',
        ),
        ("[home]\ndevice = 'a b'", "home.device: 'a b' is not allowed"),
    ],
)  # fmt: skip
def test_wrong_server_of_the_home_is_reported_without_secrets(text: str, told: str) -> None:
    lines = problems(text)
    assert any(told in line for line in lines), lines
    assert "sk-secret" not in str(lines)


def test_only_home_assistants_paths_do_without_a_list() -> None:
    for path in ("/api/mcp", "/api/mcp/assist", "/mcp_server/sse"):
        (entry,) = config.parse(HOME.replace("/api/mcp", path)).skills.mcp
        assert config.is_home_assistant(entry)
    for path in ("/", "/mcp", "/api/mcpx", "/x/api/mcp"):
        (told,) = problems(HOME.replace("/api/mcp", path))
        assert "allowed_tools: is missing" in told
