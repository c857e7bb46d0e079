"""The file for bug reports: it has facts of the device, and nothing that names its owner."""

import json
import os
import platform
import pwd
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parleyd import config
from parleyd.config import RealtimeConfig
from parleyd.core.events import LogEvent
from parleyd.diagnostics import bundle, bundle_log, plain_words
from parleyd.diagnostics.bundle import collected
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.plain_words import HIDDEN, PlainWords
from parleyd.system import new_file
from tests.docs.words import first_texts

WORDS = plain_words.of_program()


# --- texts of findings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("kitchen-pi.fritz.box refuses the key", "... refuses the key"),
        ("no route to 192.168.178.20 port 443: check", "no route to ... port 443: check"),
        ('"plughw:CARD=Annas" records 16000 Hz; the room has -52 dBFS',
         '"..." records ... Hz; the room has -52 dBFS'),
        ("/etc/parley/openai_api_key exists, but no file", "... exists, but no file"),
        ("the certificate of home.example is for", "the certificate of ... is for"),
        ('"turn on the light" is loud', '"..." is loud'),
        ("", ""),
        ("x" * 5000, "..."),
    ],
)  # fmt: skip
def test_text_keeps_the_programs_words_alone(text: str, kept: str) -> None:
    assert PlainWords(WORDS).kept(text) == kept


def test_own_names_are_hidden_even_if_they_are_words() -> None:
    """A machine that is called "server", and its user "room"."""
    plain = PlainWords(WORDS, {"Server", "room"})
    assert (
        plain.kept("the server of the room refuses the key") == "the ... of the ... refuses the key"
    )


def test_names_of_the_machine_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "kitchen.home.example")
    person = SimpleNamespace(pw_name="anna", pw_uid=1000)
    service = SimpleNamespace(pw_name="daemon", pw_uid=1)
    monkeypatch.setattr(pwd, "getpwall", lambda: [person, service])
    found = plain_words.names_of_machine({"SUDO_USER": "bob", "USER": "root"})
    assert {"kitchen.home.example", "kitchen", "home", "example", "anna", "bob"} <= found
    assert {"root", "daemon", ""}.isdisjoint(found)


def test_without_the_source_every_word_is_hidden(tmp_path: Path) -> None:
    plain = PlainWords(plain_words.of_program(tmp_path) - WORDS)
    assert plain.kept("the server refuses the key") == HIDDEN


# --- nothing personal, wherever it is planted ----------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALNUM = LETTERS + LETTERS.upper() + "0123456789"
SECRETS = st.one_of(
    st.text(ALNUM, min_size=24, max_size=60).map("sk-proj-{}".format),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.binary(min_size=6, max_size=6).map(lambda mac: mac.hex(":")),
    st.text(LETTERS, min_size=5, max_size=12).map("zq{}".format),  # users, hosts, skills
    st.text(LETTERS, min_size=5, max_size=9).map("zq{}.fritz.box".format),
    st.text(LETTERS, min_size=4, max_size=9).map("ZQ{} WLAN 5GHz".format),  # a Wi-Fi name
    st.text(LETTERS, min_size=6, max_size=12).map("zq\u00e4{}\u4e2d".format),
    st.text(ALNUM + "+/", min_size=64, max_size=200),  # sound, in base64
    st.text(LETTERS + " ", min_size=12, max_size=60).map("zq turn on {}".format),  # a transcript
)  # fmt: skip
PROGRAM = """#!/bin/sh
cat {0}/{1}
"""


KNOWN = {word.lower() for word in WORDS}


def pieces(secret: str) -> set[str]:
    """The texts that may not appear: the whole, and each part that is not a word of the program."""
    parts = {part for part in secret.split() if part.lower() not in KNOWN}
    return {part for part in {secret, *parts} if len(part) >= 7}


def plant(folder: Path, secret: str) -> config.Config:
    """Put the secret wherever a file or a program of the system may have it."""
    for name in ("systemctl", "journalctl"):
        path = folder / name
        path.write_text(PROGRAM.format(folder, f"{name}.out"))
        path.chmod(0o755)
    unit = "".join(f"{n}={secret}\n" for n in (*bundle.UNIT_STATES, *bundle.UNIT_NUMBERS, "X"))
    (folder / "systemctl.out").write_text(unit)
    entries = [
        {"MESSAGE": secret, "PRIORITY": secret, secret: secret},
        {"MESSAGE": f"wake keyword={secret}", "PRIORITY": "6", "_HOSTNAME": secret},
        {"MESSAGE": [1, 2], "PRIORITY": ["6"]},
        [secret],
    ]
    lines = [*map(json.dumps, entries), secret, "{"]
    (folder / "journalctl.out").write_text("\n".join(lines))
    written = secret if secret.isprintable() else "zq"
    entry = config.McpServerConfig(
        label=written, server_url=written, key=written, key_header=written
    )
    return config.Config(
        board=written,
        audio=config.AudioConfig(capture=written, playback=written, mixer=written),
        wake=config.WakeConfig(keywords=(written, f"/etc/{written}.json")),
        realtime=RealtimeConfig(
            url=f"wss://{written}", key_host=written, model=written, headers={written: written},
            voice=written, instructions=written, transcription_keywords=(written,),
        ),
        skills=config.SkillsConfig(folder=f"/{written}", mcp=(entry,)),
        home=config.HomeConfig(area=written, device=written),
        mqtt=config.MqttConfig(host=written, user=written, ca_file=written, topic=written),
        hooks=config.HooksConfig(wake=(written, written)),
        page=config.PageConfig(host=written, names=(written,)),
        group=config.GroupConfig(name=written),
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS, templates=st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=8))
def test_bundle_holds_nothing_personal(
    secret: str, templates: list[str], tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("OPENAI_API_KEY", "USER", "HOSTNAME", "SUDO_USER", "TZ", "LANG"):
            patched.setenv(name, secret)
        patched.setattr(socket, "gethostname", lambda: secret)
        patched.setattr(platform, "release", lambda: f"6.12.1-{secret}")
        patched.setattr(platform, "machine", lambda: secret)
        planted = plant(folder, secret)

        def told(command: Sequence[str], **limits: float) -> str:
            return (folder / f"{command[0]}.out").read_text()

        patched.setattr(bundle, "answer", told)
        patched.setattr(bundle_log, "answer", told)
        sysfs = hardware_of(folder, secret)
        really = bundle.hardware
        patched.setattr(bundle, "hardware", lambda: really(sysfs, folder))
        plain = PlainWords(WORDS, plain_words.names_of_machine(os.environ))
        text = " ".join(templates)
        findings = [
            Finding("key", Severity.FAIL, shown, f"sudo rm {secret}")
            for shown in (secret, f"{text} {secret}", f'"{secret}": {text}', f"{secret}/{text}")
        ]
        written = json.dumps(collected(findings, planted, plain), ensure_ascii=False).lower()
    for part in pieces(secret):
        assert part.lower() not in written, (part, written)
    assert json.loads(written)["log"]["events"]["wake"] == 1


def hardware_of(folder: Path, secret: str) -> Path:
    """A /sys with a board and two cards of that name."""
    named = secret.replace("/", "_")
    sysfs = folder / "sys"
    model = sysfs / "firmware/devicetree/base/model"
    model.parent.mkdir(parents=True)
    model.write_text(f"{named}\0")
    (folder / "meminfo").write_text(f"MemTotal: {named} kB\n")
    for number in (0, 1):
        usb = sysfs / f"devices/usb{number}"
        interface = usb / "1-1:1.0"
        interface.mkdir(parents=True)
        (usb / "idVendor").write_text(named)
        (usb / "idProduct").write_text("000c")
        card = sysfs / f"class/sound/card{number}"
        (card / f"pcmC{number}D0c").mkdir(parents=True)
        (card / "id").write_text(named)
        (card / "device").symlink_to(interface)
    return sysfs


# --- its content --------------------------------------------------------------------------------


def test_hardware_of_a_pi_is_named(tmp_path: Path) -> None:
    sysfs = hardware_of(tmp_path, "other")
    (sysfs / "firmware/devicetree/base/model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    (tmp_path / "meminfo").write_text("MemTotal:        3884404 kB\n")
    (sysfs / "devices/usb0/idVendor").write_text("0d8c\n")
    (sysfs / "class/sound/card0/id").write_text("Device\n")
    found = bundle.hardware(sysfs, tmp_path)
    assert (found["board"], found["memory_mb"]) == ("Raspberry Pi 4 Model B Rev 1.4", 3793)
    assert found["cards"][0] == {
        "id": "Device",
        "usb": "0d8c:000c",
        "captures": True,
        "plays": False,
    }
    assert found["cards"][1]["id"] == "other"


@pytest.mark.parametrize(
    "board",
    [
        "Raspberry Pi 3 Model B Plus Rev 1.3",
        "Raspberry Pi 5 Model B Rev 1.0",
        "Raspberry Pi Zero 2 W Rev 1.0",
        "Raspberry Pi Compute Module 4 Rev 1.1",
        "Raspberry Pi 400 Rev 1.0",
    ],
)
def test_boards_of_raspberry_pi_are_known(board: str) -> None:
    assert bundle.BOARD.fullmatch(board)


def test_configuration_shows_numbers_choices_and_changed_texts() -> None:
    chosen = config.Config(
        board="usb-gpio",
        realtime=RealtimeConfig(server="azure", url="wss://x.openai.azure.com", speed=1.2),
        buttons=config.ButtonsConfig(mute_pin=24),
    )
    found = bundle.keys_of(chosen)
    assert found["board"] == "usb-gpio"
    assert found["realtime"]["server"] == "azure"
    assert found["realtime"]["speed"] == 1.2
    assert (found["realtime"]["url"], found["realtime"]["model"]) == ("changed", "default")
    assert found["buttons"]["mute_pin"] == 24


def test_every_section_of_the_configuration_is_there() -> None:
    found = bundle.keys_of(config.Config())
    for name in config.Config.__struct_fields__:
        section = getattr(config.Config(), name)
        if isinstance(section, msgspec.Struct):
            assert set(found[name]) == set(section.__struct_fields__)


def test_unit_and_log_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "zqsecret")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    shown = "LoadState=loaded\nActiveState=failed\nResult=watchdog\nNRestarts=7\nMemoryCurrent=99\n"
    (tmp_path / "systemctl.out").write_text(shown)
    found = bundle.state_of("parleyd")
    assert (found["ActiveState"], found["Result"], found["NRestarts"]) == ("failed", "watchdog", 7)
    assert bundle_log.counted() == {
        "events": {"other": 5, "wake": 1},
        "priorities": {"6": 1, "other": 5},
    }


def test_events_are_those_of_the_log() -> None:
    assert set(first_texts(LogEvent.__name__)) == bundle_log.EVENTS


# --- the file ------------------------------------------------------------------------------------


def test_file_is_private_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    umask = os.umask(0)
    try:
        new_file.create(path, b"one")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        new_file.create(path, b"two")
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        new_file.create(dangling, b"two")
    assert path.read_bytes() == b"one"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "report.json"]


def test_file_taken_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        path.write_bytes(b"another program's")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(FileExistsError):
        new_file.create(path, b"mine")
    assert path.read_bytes() == b"another program's"
    assert list(tmp_path.iterdir()) == [path]


def test_file_on_a_disk_without_links_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    new_file.create(tmp_path / "report.json", b"mine")
    assert (tmp_path / "report.json").read_bytes() == b"mine"
    with pytest.raises(FileExistsError):
        new_file.create(tmp_path / "report.json", b"again")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_belongs_to_the_user_behind_sudo(tmp_path: Path) -> None:
    new_file.create(tmp_path / "report.json", b"x", (1234, 1235))
    status = (tmp_path / "report.json").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 1235, 0o600)


@pytest.mark.slow
def test_doctor_writes_a_bundle_once(tmp_path: Path) -> None:
    file, path = tmp_path / "parley.toml", tmp_path / "report.json"
    file.write_text('[audio]\ncapture = "null"\nplayback = "null"\npriority = 0\n')
    command = [sys.executable, "-m", "parleyd", "doctor", "--offline", "--config", str(file)]
    environ = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path),
        "OPENAI_API_KEY": "sk-zq0123456789abc",
    }

    def ran() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--bundle", str(path)],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert "read it before you attach it" in ran().stderr
    first = path.read_text()
    assert str(tmp_path) not in first
    assert "sk-zq" not in first
    assert {found["check"] for found in json.loads(first)["findings"]} > {"key", "server", "clock"}
    again = ran()
    assert again.returncode == 1
    assert again.stdout == ""
    assert "exists and is not replaced: name another file" in again.stderr
    assert path.read_text() == first
