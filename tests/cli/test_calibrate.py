"""`parley calibrate` in simulated rooms: its words, its JSON, its picture, its file."""

import json
import os
import signal
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from parleyd.cli import calibrate as command
from parleyd.cli.main import parley
from parleyd.diagnostics.configuration_change import check_writable, write_values
from parleyd.errors import ConfigError
from parleyd.skills.store import Store
from parleyd.system import paths

DOCS = Path(__file__).parents[2] / "daemon/docs"
CONFIG = """\
# the kitchen
[audio]
playback_rate_hz = 16000  # fast
volume = 80  # loud
"""


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "INSTALLED_CONFIG", tmp_path / "none.toml")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parley.toml"
    path.write_text(CONFIG)
    return path


def texts(picture: Path) -> list[str]:
    root = ElementTree.parse(picture).getroot()
    return [text for element in root.iter() if (text := (element.text or "").strip())]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(parley, ["calibrate", *map(str, arguments)])


@pytest.mark.slow
def test_loud_echo_is_described_as_on_its_page(tmp_path: Path) -> None:
    """The sentences and the picture of the page, with the default configuration."""
    drawn = tmp_path / "levels.svg"
    ran = run("--room", "loud-echo", "--picture", drawn)
    assert ran.exit_code == 0
    assert '1 of 5: say "hey jarvis" from your usual place\n        found\n' in ran.output
    page = (DOCS / "calibrate.md").read_text()
    shown = page.split("```\nbetter")[1].split("```")[0]
    assert f"better{shown}" in ran.output
    assert texts(drawn) == texts(DOCS / "pictures/calibrate.svg")


def test_json_has_verdicts_changes_and_figures_without_wake_word(
    file: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "levels.svg"
    arguments = ("--room", "loud-echo", "--skip-wake-word", "--json", "--config", file)
    ran = run(*arguments, "--picture", drawn)
    told: dict[str, Any] = json.loads(ran.output)
    assert told["verdicts"][0]["name"] == "echo_too_loud"
    assert told["changes"] == [
        {"key": "audio.volume", "now": 80, "value": 60, "because": "echo_too_loud"}
    ]
    assert told["well"] is False
    assert told["measured"]["words"] == []
    assert {"here interrupting works well", "now 80", "a voice at 2 m −38"} <= set(texts(drawn))
    assert stat.S_IMODE(drawn.stat().st_mode) == 0o644


@pytest.mark.parametrize("room", ["dead", "muted-loudspeaker"])
def test_room_without_an_echo_is_drawn_too(room: str, file: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "levels.svg"
    ran = run("--room", room, "--skip-wake-word", "--config", file, "--picture", drawn)
    assert ran.exit_code == 0
    ElementTree.parse(drawn)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--room", "healthy", "--write"], "leave --room out"),
        (["--write"], "name it with --config"),
        (["--room", "cellar"], "is not one of"),
        (["--room", "healthy", "--picture", "/no/such/folder/x.svg"], "no folder /no/such/folder"),
    ],
)
def test_mistake_is_reported_before_any_sound(arguments: list[str], told: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert told in " ".join(ran.output.replace("│", " ").split())


@pytest.mark.parametrize("kind", ["configuration", "link", "dangling", "device", "folder"])
def test_picture_replaces_nothing(kind: str, file: Path, tmp_path: Path) -> None:
    """Also as root, who can replace /dev/null."""
    place = tmp_path / "place"
    match kind:
        case "configuration":
            place = file
        case "link":
            place.symlink_to(file)
        case "dangling":
            place.symlink_to(tmp_path / "nowhere")
        case "device":
            place = Path("/dev/null")
        case "folder":
            place.mkdir()
    before = place.lstat()
    ran = run("--room", "dead", "--skip-wake-word", "--config", file, "--picture", place)
    assert ran.exit_code == 2
    assert "is not replaced" in " ".join(ran.output.replace("│", " ").split())
    assert place.lstat() == before
    assert not (tmp_path / "nowhere").exists()


def test_picture_that_cannot_be_created_is_refused_before_any_sound(file: Path) -> None:
    name = "x" * 254  # the draft's name would be too long
    ran = run("--room", "dead", "--config", file, "--picture", file.with_name(name))
    assert ran.exit_code == 2
    assert "Silence" not in ran.output
    assert os.listdir(file.parent) == [file.name]


def test_clock_that_jumped_opens_no_card(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Muted at a wrong time, before the network set the clock."""
    ends_s = time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
    Store(tmp_path / "state/parley/skills.json").keep(muted_until=1e9, muted_ends_s=ends_s)
    monkeypatch.setattr("parleyd.diagnostics.measuring_alone.Card", None)
    ran = run("--json", "--config", file)
    assert ran.exit_code == 5
    assert "closed by voice" in json.loads(ran.output)["message"]


def test_muted_by_the_last_daemon_opens_no_card(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state" / "parley"
    folder.mkdir(parents=True)
    (folder / "skills.json").write_text('{"muted_until": 4000000000.0, "muted_for_s": 60.0}')
    monkeypatch.setattr("parleyd.diagnostics.measuring_alone.Card", None)
    ran = run("--json", "--config", file)
    assert ran.exit_code == 5
    assert json.loads(ran.output)["error"] == "muted"


def test_missing_card_is_one_error_with_a_remedy(file: Path) -> None:
    file.write_text('[audio]\nplayback = "hw:CARD=None"\n')
    ran = run("--json", "--config", file)
    assert ran.exit_code == 1
    assert "plug the card in" in json.loads(ran.output)["message"]


@pytest.mark.slow
def test_null_device_is_a_dead_microphone_and_writes_nothing(file: Path) -> None:
    """The whole command with the real alsa-lib, without a terminal."""
    text = '[audio]\ncapture = "null"\nplayback = "null"\npriority = 0\n'
    file.write_text(text)
    ran = run("--write", "--config", file)
    assert ran.exit_code == 0
    assert "delivers no sound at all" in ran.output
    assert "The wake word was not tried: that needs a terminal." in ran.output
    assert file.read_text() == text


def test_write_changes_only_the_value_and_keeps_the_file_before(file: Path) -> None:
    file.chmod(0o640)
    told = write_values(file, {"audio.volume": 55, "wake.sensitivity": 0.7})
    expected = CONFIG.replace("volume = 80", "volume = 55") + "\n[wake]\nsensitivity = 0.7\n"
    assert file.read_text() == expected
    assert (file.parent / "parley.toml.before").read_text() == CONFIG
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert told[0].endswith("[audio] volume = 55  # loud")


def test_write_refuses_a_value_that_the_configuration_does_not_allow(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"audio.volume"):
        write_values(file, {"audio.volume": 101})
    assert file.read_text() == CONFIG


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_write_keeps_the_group(file: Path) -> None:
    os.chown(file, -1, 1234)
    write_values(file, {"audio.volume": 55})
    assert file.stat().st_gid == 1234


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give a file away")
def test_file_of_the_owners_login_stays_theirs(file: Path) -> None:
    os.chown(file, 12345, 12346)
    check_writable(file)
    write_values(file, {"audio.volume": 55})
    for path in (file, file.with_name("parley.toml.before")):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


def test_file_of_another_user_is_refused_before_any_sound(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that the user may write: replaced, it would be theirs."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4321)
    ran = run("--json", "--write", "--config", file)
    assert ran.exit_code == 1
    assert "use sudo" in json.loads(ran.output)["message"]


def test_read_only_disk_has_its_own_remedy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is not told to become root."""
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(ConfigError, match="read-only file system; do: sudo mount -o remount,rw /"):
        check_writable(file)


def test_results_are_shown_although_the_picture_fails(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tmp_path / "levels.svg"
    monkeypatch.setattr(command, "draw", lambda *_: str(drawn.write_text("meanwhile")))
    arguments = ("--room", "dead", "--skip-wake-word", "--config", file, "--picture", drawn)
    ran = run(*arguments, "--json")
    told = json.loads(ran.output)
    assert (ran.exit_code, told["error"], told["picture"]) == (1, "failed", None)
    assert "File exists" in told["message"]
    assert told["verdicts"][0]["name"] == "microphone_dead"
    assert drawn.read_text() == "meanwhile"


def test_state_that_cannot_be_read_opens_no_card(file: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "parley" / "skills.json").mkdir(parents=True)
    ran = run("--json", "--config", file)
    assert ran.exit_code == 5
    assert "use sudo" in json.loads(ran.output)["message"]


def test_service_is_muted_by_its_own_state() -> None:
    installed = paths.INSTALLED_CONFIG
    for path in (installed, installed.parent / "x" / ".." / installed.name):
        assert command._environ(path)["STATE_DIRECTORY"] == "/var/lib/parley"
    assert "STATE_DIRECTORY" not in command._environ(installed.with_name("mine.toml"))


@pytest.mark.parametrize("ending", command.ENDINGS)
def test_each_signal_gives_card_and_mixer_back(ending: signal.Signals) -> None:
    """Ctrl-\\ and a lost SSH connection, too: the blocks of the card end in order."""
    before = {number: signal.getsignal(number) for number in command.ENDINGS}
    try:
        with pytest.raises(SystemExit) as ended, command._errors(as_json=False):
            signal.raise_signal(ending)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended.value.code == 128 + ending
