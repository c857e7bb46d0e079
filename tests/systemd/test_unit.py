"""The unit file: its required directives, and its check by systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parleyd.config.servers import PROFILES

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "parleyd.service"
BACKOFF = FOLDER / "backoff.conf"
MQTT = FOLDER / "parley-mqtt.service"
PAGE = FOLDER / "parley-page.service"
SAVE_SOCKET = FOLDER / "parley-page-save.socket"
SAVE = FOLDER / "parley-page-save@.service"
KNOWS_BACKOFF = 254  # the first version of systemd that supports it
MOST_EXPOSED = 15  # tenths


def directives(file: Path = UNIT) -> list[tuple[str, str]]:
    lines = file.read_text("utf-8").splitlines()
    return [(k, v) for k, _, v in (s.partition("=") for s in lines if re.match(r"[A-Z]\w+=", s))]


@pytest.mark.parametrize(
    "wanted",
    [
        "Type=notify",
        "ExecStart=/opt/parley/venv/bin/parley run --config /etc/parley/parley.toml",
        "ExecReload=/bin/sh -c 'kill -HUP $${MAINPID}'",
        "WatchdogSec=10",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "DynamicUser=yes",
        "SupplementaryGroups=audio gpio spi",
        "StateDirectory=parley",
        "RuntimeDirectory=parley",
        "ConfigurationDirectory=parley",
        "MemoryMax=640M",
        "OOMPolicy=continue",
        "TasksMax=128",
        "LimitCORE=0",
        "ExecStopPost=-/opt/parley/venv/bin/parley lights-off --config /etc/parley/parley.toml",
        "StateDirectoryMode=0700",
        "RuntimeDirectoryMode=0710",
        "Group=parley",
        "WorkingDirectory=%t/parley",
        "DevicePolicy=closed",
        "DeviceAllow=char-alsa rw",
        "DeviceAllow=char-gpiochip rw",
        "DeviceAllow=char-spi rw",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=sched_setscheduler sched_setparam",
    ],
)
def test_unit_contains_the_directive(wanted: str) -> None:
    key, _, value = wanted.partition("=")
    assert (key, value) in directives()


def test_unit_restarts_back_off_and_are_limited() -> None:
    values = dict(directives()) | dict(directives(BACKOFF))
    burst, interval_s = int(values["StartLimitBurst"]), int(values["StartLimitIntervalSec"])
    first_s, most_s = int(values["RestartSec"]), int(values["RestartMaxDelaySec"])
    steps = int(values["RestartSteps"])
    pauses_s = [first_s * (most_s / first_s) ** (min(n, steps) / steps) for n in range(burst)]
    assert pauses_s[0] == 2
    assert pauses_s[-1] == 30
    # a fault that the watchdog detects after each start must reach the limit in the interval
    assert sum(pauses_s) + burst * int(values["WatchdogSec"]) < interval_s


def test_unit_allows_the_default_real_time_priority() -> None:
    from parleyd import config

    assert int(dict(directives())["LimitRTPRIO"]) >= config.AudioConfig().priority


@pytest.mark.parametrize("breaks", ["PrivateDevices", "ProcSubset"])
def test_unit_has_no_directive_that_removes_devices(breaks: str) -> None:
    assert breaks not in dict(directives())


def test_unit_contains_no_key() -> None:
    credentials = [s for s in UNIT.read_text("utf-8").splitlines() if "LoadCredential" in s]
    assert all(s.startswith("#LoadCredential=") for s in credentials)
    assert not any(key.startswith(("Environment", "SetCredential")) for key, _ in directives())


def verified(tmp_path: Path, text: str, name: str = UNIT.name) -> str:
    """Return the errors of `systemd-analyze verify`, with a substitute for the program."""
    copy = tmp_path / name
    copy.write_text(re.sub(r"(?m)^(ExecStart|ExecStopPost)=.*", r"\1=/bin/true", text), "utf-8")
    answer = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60
    )
    found = [line for line in answer.stderr.splitlines() if name in line]
    return "\n".join(found) or ("" if answer.returncode == 0 else answer.stderr)


with_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="the unit is NOT verified: systemd-analyze is not installed",
)


@with_systemd
def test_unit_is_accepted_by_systemd(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8")
    assert verified(tmp_path, text) == ""
    assert "Unknown key" in verified(tmp_path, text.replace("PrivateTmp=", "PrivateTemp="))


@with_systemd
@pytest.mark.parametrize("unit", [MQTT, PAGE, SAVE], ids=lambda unit: unit.stem)
def test_other_units_are_accepted_by_systemd(unit: Path, tmp_path: Path) -> None:
    name = unit.name.replace("@", "@1")
    assert verified(tmp_path, unit.read_text("utf-8"), name) == ""


def test_mqtt_unit_is_another_user_in_the_group_of_the_socket_without_the_keys() -> None:
    found = directives(MQTT)
    for wanted in (("DynamicUser", "yes"), ("Group", "parley"), ("RestartPreventExitStatus", "2")):
        assert wanted in found
    assert {"LoadCredential", "SupplementaryGroups", "User"}.isdisjoint(dict(found))


def test_page_may_write_nothing_and_the_process_that_writes_has_no_network() -> None:
    page, save = dict(directives(PAGE)), dict(directives(SAVE))
    assert page["DynamicUser"] == "yes"
    assert page["CapabilityBoundingSet"] == save["CapabilityBoundingSet"] == ""
    assert page["ProtectSystem"] == save["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in page
    assert save["ReadWritePaths"] == "/etc/parley"
    assert save["PrivateNetwork"] == "yes"
    assert "LoadCredential" not in save
    assert page["LoadCredential"] == "page_token:/etc/parley/page_token"


def test_only_the_page_may_ask_for_a_change_of_settings() -> None:
    from parleyd.page.saving import SOCKET

    socket = dict(directives(SAVE_SOCKET))
    assert socket["ListenStream"] == str(SOCKET)
    assert socket["SocketMode"] == "0660"
    assert socket["SocketGroup"] == dict(directives(PAGE))["SupplementaryGroups"]
    users = [path for path in FOLDER.glob("*.service") if socket["SocketGroup"] in path.read_text()]
    assert users == [PAGE]


@with_systemd
def test_backoff_is_accepted_by_systemd_254_and_newer(tmp_path: Path) -> None:
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True)
    knows = int(told.stdout.split()[1]) >= KNOWS_BACKOFF
    lines = "".join(f"{key}={value}\n" for key, value in directives(BACKOFF))
    text = UNIT.read_text("utf-8").replace("RestartSec=", f"{lines}RestartSec=")
    assert ("Unknown key" not in verified(tmp_path, text)) == knows


@with_systemd
@pytest.mark.parametrize("unit", [UNIT, MQTT, PAGE, SAVE], ids=lambda unit: unit.stem)
def test_unit_exposure_is_below_the_limit(unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    command += [f"--threshold={MOST_EXPOSED}", str(unit)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    *_, overall = answer.stdout.splitlines()
    with capsys.disabled():
        print(f"\n{overall}")
    assert f"Overall exposure level for {unit.stem.rstrip('@')}" in overall
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    "key", sorted({server.key for server in PROFILES.values()} | {"PICOVOICE_ACCESS_KEY"})
)
def test_unit_lists_every_key_as_a_credential(key: str) -> None:
    file = key.lower()
    assert file.endswith("_key")  # install.sh passes such files to the service
    assert f"#LoadCredential={file}:/etc/parley/{file}" in UNIT.read_text("utf-8").splitlines()
    assert f"| `{file}` | `{key}` |" in (FOLDER / "README.md").read_text("utf-8")
