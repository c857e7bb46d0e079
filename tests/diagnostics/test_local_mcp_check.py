"""The doctor's lines about MCP servers that Parley calls, with real ones."""

from pathlib import Path

import pytest

from parleyd import config
from parleyd.diagnostics.checks import local_mcp, with_keys
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import ShellKeys
from tests.mcp.test_mcp_child import KEY, free_port, serving

pytestmark = pytest.mark.slow
ENVIRON = {"HOME_MCP_KEY": KEY}


def at(port: int, **more: object) -> config.Config:
    entry = config.McpServerConfig(
        label="home",
        where="here",
        url=f"http://127.0.0.1:{port}/api/mcp",
        key="HOME_MCP_KEY",
        **more,  # type: ignore[arg-type]
    )
    return config.Config(skills=config.SkillsConfig(mcp=(entry,)))


def finding(settings: config.Config, environ: dict[str, str] = ENVIRON) -> Finding:
    (found,) = local_mcp(settings, environ)
    assert KEY not in str(found)
    return found


def test_server_that_answers_is_listed_with_its_functions(tmp_path: Path) -> None:
    with serving("http", tmp_path) as port:
        found = finding(at(port))
    assert found.level is Severity.OK
    assert found.text.startswith("home: 5 functions: home_")


def test_wrong_name_in_a_list_is_a_warning(tmp_path: Path) -> None:
    with serving("http", tmp_path) as port:
        found = finding(at(port, ask=("HassTurnOff", "HassOpenGarage")))
    assert (found.level, found.text) == (
        Severity.WARN,
        "home: HassOpenGarage is not a tool of this server",
    )


def test_refused_key_has_a_remedy(tmp_path: Path) -> None:
    with serving("http", tmp_path, key="another") as port:
        found = finding(at(port))
    assert found.level is Severity.FAIL
    assert found.text == "home: it refuses the key (HTTP 401)"
    assert "long-lived access token" in found.remedy
    assert "/etc/parley/home_mcp_key" in found.remedy


def test_absent_server_and_key_have_a_reason() -> None:
    found = finding(at(free_port()))
    assert found.text == "home: it cannot be reached: Connection refused"
    assert "correct url" in found.remedy
    assert "there is no key" in finding(at(1), {}).text


def test_command_that_cannot_be_run_is_named() -> None:
    entry = config.McpServerConfig(
        label="w", where="here", command=("/no/such/program",), allowed_tools=("a",)
    )
    found = finding(config.Config(skills=config.SkillsConfig(mcp=(entry,))))
    assert found.text == "w: /no/such/program cannot be run"


def test_missing_package_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parleyd.mcp.servers.find_spec", lambda name: None)
    found = finding(at(1))
    assert found.level is Severity.FAIL
    assert found.remedy.endswith("--install --mcp")


def test_no_server_has_no_line() -> None:
    assert list(local_mcp(config.Config(), {})) == []


def test_keys_of_the_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "home_mcp_key").write_text(KEY)
    assert with_keys(at(1), {"A": "b"}, ShellKeys({}, tmp_path)) == {"A": "b", **ENVIRON}
