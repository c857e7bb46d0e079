"""The keys that the unit hands to the service, as `systemctl cat` and `show` name them."""

import os
from pathlib import Path

import pytest

from parleyd import config
from parleyd.diagnostics import service_keys
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.server_checks import keys
from parleyd.diagnostics.service_keys import Credential, ServiceKeys, ServiceView, of_unit

KEY = "sk-right-0123456789abcdef"
DROP_IN = "/etc/systemd/system/parleyd.service.d/keys.conf"
OPENAI = config.Config(realtime=config.RealtimeConfig(server="openai"))

FILES = """\
# /etc/systemd/system/parleyd.service
[Service]
# LoadCredential=not_this:/one
#LoadCredential=nor_this:/one
LoadCredential=old_key:/etc/parley/old_key
ExecStart=/opt/parley

# /etc/systemd/system/parleyd.service.d/keys.conf
[Service]
LoadCredential=
LoadCredential=openai_api_key:/etc/parley/openai_api_key
 LoadCredential = xai_api_key: \\
  /etc/parley/xai_api_key
LoadCredentialEncrypted=realtime_api_key:/etc/parley/realtime_api_key.cred
SetCredential=home_mcp_key:token
"""


def test_unit_names_credentials_and_their_files() -> None:
    found = of_unit(FILES)
    assert found == {
        "openai_api_key": Credential(
            "openai_api_key", Path("/etc/parley/openai_api_key"), False, DROP_IN
        ),
        "xai_api_key": Credential("xai_api_key", Path("/etc/parley/xai_api_key"), False, DROP_IN),
        "realtime_api_key": Credential(
            "realtime_api_key", Path("/etc/parley/realtime_api_key.cred"), True, DROP_IN
        ),
        "home_mcp_key": Credential("home_mcp_key", None, False, DROP_IN, "token"),
    }


@pytest.mark.parametrize("text", ["", "\0", "[Service]\nLoadCredential=:\n", "LoadCredential=a\n"])
def test_unit_of_any_text_is_read(text: str) -> None:
    of_unit(text)


def view(folder: Path, *names: str, **more: object) -> ServiceView:
    named = {name: Credential(name, folder / name, False, DROP_IN) for name in names}
    return ServiceView(named, **more)  # type: ignore[arg-type]


def found(folder: Path, seen: ServiceView, environ: dict[str, str] | None = None) -> list[Finding]:
    return list(keys(OPENAI, environ or {}, folder, ServiceKeys(seen, folder)))


def put(folder: Path, text: str = KEY) -> Path:
    path = folder / "openai_api_key"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_key_that_no_drop_in_names_is_a_failure(tmp_path: Path) -> None:
    """The file is there and good, and yet the daemon says that there is no key."""
    path = put(tmp_path)
    (bad,) = found(tmp_path, view(tmp_path))
    assert (bad.check, bad.level) == ("key", Severity.FAIL)
    assert bad.text == f"{path} exists, but no file of parleyd.service names it: it has no key"
    assert f"LoadCredential=openai_api_key:{path}" in bad.remedy


def test_key_of_roots_shell_alone_is_a_failure(tmp_path: Path) -> None:
    (bad,) = found(tmp_path, view(tmp_path), {"OPENAI_API_KEY": KEY})
    assert bad.level is Severity.FAIL
    assert "because only this shell has it" in bad.text
    assert KEY not in str(bad)


def test_key_in_the_units_environment_is_found(tmp_path: Path) -> None:
    (good,) = found(tmp_path, view(tmp_path, environment={"OPENAI_API_KEY": KEY}))
    assert good.text == "OPENAI_API_KEY is handed to the service in its environment (not shown)"


def test_key_that_is_handed_over_is_good_and_names_its_drop_in(tmp_path: Path) -> None:
    put(tmp_path)
    (good,) = found(tmp_path, view(tmp_path, "openai_api_key"))
    assert good.level is Severity.OK
    assert good.text == f"OPENAI_API_KEY is handed to the service by {DROP_IN} (not shown)"


def test_key_that_is_named_but_missing_is_a_failure(tmp_path: Path) -> None:
    (bad,) = found(tmp_path, view(tmp_path, "openai_api_key"))
    assert bad.level is Severity.FAIL
    assert "does not exist: systemd does not start the service" in bad.text


def test_key_in_the_unit_itself_is_found(tmp_path: Path) -> None:
    literal = Credential("openai_api_key", None, False, DROP_IN, KEY)
    (good,) = found(tmp_path, ServiceView({"openai_api_key": literal}))
    assert good.level is Severity.OK
    assert KEY not in repr(literal)


def test_key_that_arrives_without_a_line_of_its_name_is_good(tmp_path: Path) -> None:
    """`ImportCredential=` names a pattern."""
    put(tmp_path)
    handed = tmp_path / "handed"
    handed.mkdir()
    put(handed)
    (good,) = found(tmp_path, view(tmp_path, handed=handed))
    assert good.level is Severity.OK


def test_key_of_another_maker_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path, "sk-ant-0123456789abcdef0123")
    (bad,) = found(tmp_path, view(tmp_path, "openai_api_key"))
    assert bad.level is Severity.FAIL
    assert "it begins like a key of Anthropic" in bad.text
    assert "0123" not in bad.text


def test_key_of_the_server_is_asked_for_by_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `parley` is a command; tests/setup answers its questions."""
    (tmp_path / "parley").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    source = ServiceKeys(view(tmp_path), tmp_path)
    assert source.put("OPENAI_API_KEY") == "sudo parley setup"
    assert source.put("HOME_MCP_KEY").startswith("sudo install -m 600 /dev/stdin ")


def test_key_that_changed_after_the_start_needs_a_restart(tmp_path: Path) -> None:
    put(tmp_path)
    handed = tmp_path / "handed"
    handed.mkdir()
    put(handed, "sk-old-0123456789abcdef")
    (old,) = found(tmp_path, view(tmp_path, "openai_api_key", handed=handed))
    assert old.level is Severity.FAIL
    assert "has changed since the start of the service" in old.text
    assert old.remedy == "sudo systemctl restart parleyd"
    put(handed)
    (good,) = found(tmp_path, view(tmp_path, "openai_api_key", handed=handed))
    assert good.level is Severity.OK


def test_key_in_a_wrong_form_is_a_failure_of_the_service(tmp_path: Path) -> None:
    put(tmp_path, '"sk-quoted"')
    (bad,) = found(tmp_path, view(tmp_path, "openai_api_key"))
    assert "is not in the form of a key" in bad.text
    assert bad.remedy.startswith("sudo install -m 600 /dev/stdin ")


@pytest.mark.parametrize("outdated", [True, False])
def test_unit_that_systemd_has_not_read_again_is_named(tmp_path: Path, outdated: bool) -> None:
    warning = ServiceKeys(view(tmp_path, outdated=outdated), tmp_path).outdated
    assert (warning is not None) is outdated
    assert warning is None or warning.remedy == service_keys.RESTART


def test_read_asks_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "files").write_text(FILES)
    facts = 'Environment=A=1 "B=two words" https_proxy=http://p:1\nNeedDaemonReload=yes\n'
    (tmp_path / "facts").write_text(f"{facts}ActiveState=active\n")
    program = tmp_path / "systemctl"
    program.write_text(
        f"#!/bin/sh\ncase $1 in cat) cat {tmp_path}/files ;; show) cat {tmp_path}/facts ;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "parleyd.service").mkdir()
    assert service_keys.read(handed=tmp_path, booted=tmp_path / "no") is None  # a chroot
    seen = service_keys.read(handed=tmp_path, booted=tmp_path)
    assert seen is not None
    assert seen.outdated
    assert seen.environment == {"A": "1", "B": "two words", "https_proxy": "http://p:1"}
    assert seen.handed == tmp_path / "parleyd.service"
    assert "openai_api_key" in seen.credentials
    program.write_text("#!/bin/sh\nexit 1\n")
    assert service_keys.read(handed=tmp_path, booted=tmp_path) is None
