"""The real `parley doctor` with a sound server, a broken configuration, and without pins."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulse_rig import PulseRig

from parleyd import config
from parleyd.diagnostics import checks, devices, sound_checks
from parleyd.diagnostics.findings import Finding, Severity
from tests.diagnostics.noisy_room import noise

SOUND = '[audio]\ncapture = "mic"\nplayback = "speaker"\npriority = 0\n'
SECRET = "sk-secret-0123456789"


def examined(folder: Path, text: str, **environ: str) -> tuple[int, dict[str, list[Any]], str]:
    """Return the exit status, (level, text, remedy) by check, and the whole output."""
    path = folder / "parley.toml"
    path.write_text(text)
    without_key = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    ended = subprocess.run(
        [sys.executable, "-m", "parleyd", "doctor", "--json", "--offline", "--config", str(path)],
        env={**without_key, "XDG_STATE_HOME": str(folder / "state"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    report = json.loads(ended.stdout)
    assert report["healthy"] == (ended.returncode == 0)
    found: dict[str, list[Any]] = {}
    for finding in report["findings"]:
        line = (finding["level"], finding["text"], finding["remedy"])
        found.setdefault(finding["check"], []).append(line)
    return ended.returncode, found, ended.stdout + ended.stderr


def test_doctor_on_a_good_machine_passes_and_hides_the_key(rig: PulseRig, tmp_path: Path) -> None:
    rig.echo(30)
    with noise(tmp_path, -50):
        status, found, printed = examined(tmp_path, SOUND, OPENAI_API_KEY=SECRET)
    assert status == 0, printed
    for check in ("configuration", "key", "loudspeaker", "microphone", "pins", "wake word",
                  "offline speech", "priority", "state", "service"):  # fmt: skip
        assert found[check][0][0] in ("ok", "warn"), found[check]
    assert '"speaker" plays 48000 Hz, and the microphone hears a tone' in found["loudspeaker"][0][1]
    assert '"mic" records 16000 Hz; the room has -5' in found["microphone"][0][1]
    assert "not shown" in found["key"][0][1]
    assert SECRET not in printed
    assert rig.open_microphones() == 0


def test_doctor_with_missing_parts_fails_with_remedies(rig: PulseRig, tmp_path: Path) -> None:
    text = '[audio]\nplayback = "hw:CARD=Gone"\ncapture = "mic"\n[lights]\noutput = "led"\n'
    text += '[realtime]\nserver = "openai"\n[wake]\nkeywords = ["hey_nobody"]\nengine = "micro"\n'
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    with noise(tmp_path, -50):
        status, found, _ = examined(tmp_path, text)
    assert status == 1
    failed = {check for check, lines in found.items() if any(x[0] == "fail" for x in lines)}
    assert failed == {"key", "loudspeaker", "pins", "wake word", "state"}
    assert all(x[2] for lines in found.values() for x in lines if x[0] == "fail")
    assert found["microphone"][0][0] == "ok"
    assert "Gone" in found["loudspeaker"][0][1]
    assert found["loudspeaker"][0][2].startswith("plug the card in")


@pytest.mark.slow
def test_doctor_with_a_broken_config_lists_every_problem(
    tmp_path: Path,
) -> None:
    status, found, _ = examined(tmp_path, "[audio]\nlead_ms = 1\n[wak]\n")
    assert status == 1
    assert [line[0] for line in found["configuration"]] == ["fail", "fail"]
    assert "audio.lead_ms" in found["configuration"][0][1]
    assert set(found) == {"configuration", "state", "service"}


@pytest.mark.slow
def test_doctor_without_json_prints_lines_with_remedies(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text("[audi]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "parleyd", "doctor", "--config", str(tmp_path / "parley.toml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, remedy, *_ = ended.stdout.splitlines()
    assert first.split(maxsplit=2) == [
        "fail", "configuration", "section [audi]: is unknown, did you mean audio?",
    ]  # fmt: skip
    assert remedy.strip().startswith("do: correct ")


def test_keys_in_the_services_folder_must_be_private(tmp_path: Path) -> None:
    openai = config.Config(realtime=config.RealtimeConfig(server="openai"))
    (failed,) = checks.keys(openai, {}, tmp_path)
    assert failed.level is Severity.FAIL
    key = tmp_path / "openai_api_key"
    key.write_text(SECRET)
    key.chmod(0o600)
    (good,) = checks.keys(openai, {}, tmp_path)
    assert good.level is Severity.OK
    key.chmod(0o644)
    _, exposed = checks.keys(openai, {}, tmp_path)
    text, remedy = f"other users can read {key}", f"sudo chmod 600 {key}"
    assert exposed == Finding("key", Severity.FAIL, text, remedy)


def test_keys_include_the_key_of_an_mcp_server(tmp_path: Path) -> None:
    home = config.McpServerConfig(
        label="home", server_url="https://mcp.example.org", key="HOME_MCP_KEY"
    )
    settings = config.Config(
        realtime=config.RealtimeConfig(server="openai"), skills=config.SkillsConfig(mcp=(home,))
    )
    environ = {"OPENAI_API_KEY": SECRET}
    _, missing = checks.keys(settings, environ, tmp_path)
    assert missing.level is Severity.FAIL
    assert "home: needs HOME_MCP_KEY" in missing.text
    assert f"{tmp_path}/home_mcp_key" in missing.remedy
    (good,) = checks.keys(settings, {**environ, "HOME_MCP_KEY": SECRET}, tmp_path)
    assert good.level is Severity.OK


def test_sound_busy_is_ok_while_the_service_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from parleyd.errors import AudioError

    def busy(audio: config.AudioConfig) -> None:
        raise AudioError(
            'audio.playback: "x" cannot be opened (Device or resource busy); a free ALSA device '
            "is expected; end the program that uses it"
        )

    monkeypatch.setattr(sound_checks, "Card", busy)
    levels = {f.check: f.level for f in sound_checks.sound(config.AudioConfig(), served=True)}
    assert levels["loudspeaker"] is Severity.OK
    levels = {f.check: f.level for f in sound_checks.sound(config.AudioConfig(), served=False)}
    assert levels["loudspeaker"] is Severity.FAIL


@pytest.mark.parametrize(
    ("shown", "level", "words"),
    [
        ("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nStatusText=idle", "ok",
         "idle"),
        ("LoadState=not-found\nActiveState=inactive", "warn", "not installed"),
        ("LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled", "warn", "is inactive"),
        ("LoadState=loaded\nActiveState=failed\nResult=watchdog", "fail", "watchdog"),
        ("LoadState=loaded\nActiveState=activating\nResult=exit-code", "fail", "exit-code"),
        ("LoadState=loaded\nActiveState=active\nStatusText=error: no card", "fail", "no card"),
        ("LoadState=loaded\nActiveState=active\nUnitFileState=disabled\nStatusText=idle", "warn",
         "does not start at boot"),
    ],
)  # fmt: skip
def test_service_follows_systemctl(
    shown: str, level: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = tmp_path / "systemctl"
    answer.write_text(f"#!/bin/sh\ncat <<'END'\n{shown}\nEND\n")
    answer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    runs, finding = checks.service(booted=tmp_path)
    assert (finding.level, runs) == (level, "ActiveState=active" in shown)
    assert words in finding.text
    assert finding.remedy or level == "ok"


def test_service_with_a_failing_systemctl_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = tmp_path / "systemctl"
    answer.write_text("#!/bin/sh\nexit 1\n")
    answer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    runs, finding = checks.service(booted=tmp_path)
    assert (finding.level, runs) == ("warn", False)
    assert "try again" in finding.remedy


def test_pins_missing_or_of_another_group_fail(tmp_path: Path) -> None:
    led = config.Config(lights=config.LightsConfig(output="led"))
    (missing,) = devices.pins(led, served=True, dev=tmp_path)
    assert "no pins" in missing.text
    (tmp_path / "gpiochip0").touch(mode=0o660)
    first, *_ = devices.pins(led, served=True, dev=tmp_path)
    assert first.level is (Severity.FAIL if os.geteuid() == 0 else Severity.OK)


def test_pins_of_addressable_leds_need_only_spi(tmp_path: Path) -> None:
    strip = config.LightsConfig(output="apa102", spi_device=str(tmp_path / "spidev0.0"))
    (missing,) = devices.pins(config.Config(lights=strip), served=True, dev=tmp_path)
    assert (missing.check, missing.level) == ("spi", Severity.FAIL)
    assert "dtparam=spi=on" in missing.remedy


@pytest.mark.parametrize(
    ("controllers", "level"),
    [
        ("cpuset cpu io memory pids\n", Severity.OK),
        ("cpuset cpu io pids\n", Severity.WARN),
        (None, Severity.WARN),
    ],
)
def test_memory_limit_without_the_controller_warns(
    tmp_path: Path, controllers: str | None, level: Severity
) -> None:
    file = tmp_path / "cgroup.controllers"
    if controllers is not None:
        file.write_text(controllers)
    finding = checks.memory_limit(file)
    assert finding.level is level
    assert ("cgroup_enable=memory" in finding.remedy) == (finding.level is not Severity.OK)


# --- malformed keys, and the proxy ----------------------------------------------------------

OPENAI = config.Config(realtime=config.RealtimeConfig(server="openai"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"sk-s3cret\n\nsk-2\n", "more than one line"),
        (b'"sk-s3cret"\n', "quotes"),
        (b"OPENAI_API_KEY=sk-s3cret\n", "NAME="),
        (b"\xef\xbb\xbfsk-s3cret", "byte-order mark"),
        (b"\xff\xfes\x003\x00", "not text"),
    ],
)
def test_keys_malformed_fail_without_being_shown(data: bytes, words: str, tmp_path: Path) -> None:
    key = tmp_path / "openai_api_key"
    key.write_bytes(data)
    key.chmod(0o600)
    (failed,) = checks.keys(OPENAI, {}, tmp_path)
    assert failed.level is Severity.FAIL
    assert failed.text.startswith("OPENAI_API_KEY: is not in the form of a key")
    assert words in failed.text
    assert "s3cret" not in failed.text
    assert str(key) in failed.remedy
    assert checks.secret("OPENAI_API_KEY", {}, tmp_path) is None


def test_keys_malformed_fail_for_the_wake_word_too(tmp_path: Path) -> None:
    _, failed = checks.keys(
        OPENAI, {"OPENAI_API_KEY": "sk-1", "PICOVOICE_ACCESS_KEY": "“x”"}, tmp_path
    )
    assert failed.level is Severity.FAIL
    assert failed.text.startswith("PICOVOICE_ACCESS_KEY: ")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "openai_api_key.txt", "OpenAI_api_KEY.TXT"])
def test_keys_file_with_a_wrong_name_gets_a_working_command(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("sk-1\n")
    missing, misnamed = checks.keys(OPENAI, {}, tmp_path)
    assert missing.level is Severity.FAIL
    assert misnamed.level is Severity.WARN
    subprocess.run(misnamed.remedy.removeprefix("sudo "), shell=True, check=True)
    assert (tmp_path / "openai_api_key").read_text() == "sk-1\n"


def test_keys_folder_with_a_key_name_gets_no_command(tmp_path: Path) -> None:
    (tmp_path / "x_key").mkdir(mode=0o755)
    _, odd = checks.keys(OPENAI, {}, tmp_path)
    assert (odd.level, odd.text) == (
        Severity.WARN,
        f"{tmp_path}/x_key is ignored: it is not a file",
    )
    assert "sudo" not in odd.remedy


def test_keys_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "openai_api_key").touch(mode=0o600)
    missing, empty = checks.keys(OPENAI, {}, tmp_path)
    assert missing.level is Severity.FAIL
    assert empty.text == f"{tmp_path}/openai_api_key is empty"


def test_proxy_is_shown_without_its_password() -> None:
    assert list(checks.proxy(OPENAI, {})) == []
    assert list(checks.proxy(OPENAI, {"https_proxy": "http://p:1", "no_proxy": "openai.com"})) == []
    (good,) = checks.proxy(OPENAI, {"https_proxy": "http://me:s3cret@p:3128"})
    assert good.level is Severity.OK
    assert "http://p:3128" in good.text
    assert "s3cret" not in good.text
    (bad,) = checks.proxy(OPENAI, {"https_proxy": "http://me:s3cret@p:port"})
    assert bad.level is Severity.FAIL
    assert "s3cret" not in bad.text
    embedded = config.Config(realtime=config.RealtimeConfig(server="embedded"))
    assert list(checks.proxy(embedded, {"all_proxy": "http://p:1"})) == []


def test_proxy_socks_without_its_package_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parleyd.realtime.proxies.find_spec", lambda name: None)
    (failed,) = checks.proxy(OPENAI, {"all_proxy": "socks5://p:1080"})
    assert failed.level is Severity.FAIL
    assert "python-socks" in failed.text
    assert failed.remedy.endswith("-m pip install python-socks")
