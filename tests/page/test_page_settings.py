"""The keys that the page may change: which ones, and the preview of a change."""

from pathlib import Path

import pytest
from msgspec import structs

from parleyd import config
from parleyd.errors import ConfigError
from parleyd.page.saving import save
from parleyd.page.settings import BROKEN, FileChanged, SettingsChange, described, preview, revision

TEXT = """\
board = "usb-gpio"
# the kitchen's
[audio]
volume = 40   # Anna's
[realtime]
url = "wss://gateway.example/secret-path"
key_host = "gateway.example"
server = "openai"
"""


def change(text: str, **changes: bool | int | float | str) -> SettingsChange:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return SettingsChange(revision=revision(text), changes=named)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parley.toml"
    path.write_text(TEXT)
    return path


def test_described_keys_have_value_default_bounds_and_comment(file: Path) -> None:
    found = described(file)
    assert found["revision"] == revision(TEXT)
    keys = {key["name"]: key for key in found["keys"]}
    volume = keys["audio.volume"]
    assert volume.pop("about").startswith("The volume in percent, 0 to 100.")
    assert volume == {
        "name": "audio.volume", "value": 40, "default": 70, "kind": "int", "min": 0, "max": 100,
    }  # fmt: skip
    assert found["file"] == str(file)
    assert described(None)["file"] == ""
    assert keys["hearing.preroll_ms"]["about"] == (
        "How much audio from before the first sound of the interruption is sent with it, in ms "
        "(100 to 2000)."
    )
    assert keys["turn.detection"]["choices"] == ["server_vad", "semantic_vad", "local"]
    assert keys["hearing.barge_in"]["kind"] == "bool"
    assert keys["lights.night"]["kind"] == "text"
    assert all(key["about"] for key in found["keys"] if key is not volume)
    assert "gateway" not in str(found)


def test_no_key_can_run_name_or_store_anything() -> None:
    """A later key of these sections must be looked at before it gets here."""
    names = {key["name"] for key in described(None)["keys"]}
    assert names == {
        "audio.volume", "audio.quiet_volume", "audio.alarm_volume", "earcons.level_db",
        "audio.boot_chime", "wake.sensitivity", "wake.refractory_s",
        "wake.preroll_ms", "wake.stop_word", "turn.detection", "turn.silence_ms",
        "turn.vad_threshold", "turn.eagerness", "turn.no_speech_timeout_s", "turn.follow_up_s",
        "turn.follow_up_turns", "turn.max_turn_s", "turn.response_timeout_s", "hearing.canceller",
        "hearing.barge_in", "hearing.on_suspicion", "hearing.duck_db", "hearing.decision_window_ms",
        "hearing.preroll_ms", "realtime.speed", "realtime.forget_after_min",
        "skills.alarm_timeout_s", "lights.brightness", "lights.night", "lights.night_brightness",
    }  # fmt: skip


@pytest.mark.parametrize(
    "section", ["wake", "turn", "hearing", "realtime", "skills", "page", "log"]
)
def test_every_other_key_is_refused(section: str, file: Path) -> None:
    allowed = {key["name"] for key in described(None)["keys"]}
    for field in structs.fields(type(getattr(config.Config(), section))):
        if (name := f"{section}.{field.name}") not in allowed:
            wish = SettingsChange(revision=revision(TEXT), changes={name: "x"})
            with pytest.raises(ConfigError, match=f"{name}: cannot be changed here"):
                preview(file, wish)
            assert save(file, b'{"revision":"%s","changes":{"%s":1}}' % (
                revision(TEXT).encode(), name.encode())).problems  # fmt: skip
    assert file.read_text() == TEXT


def test_preview_names_the_lines_and_writes_nothing(file: Path) -> None:
    found = preview(file, change(TEXT, audio__volume=55, lights__brightness=1))
    assert [(line.section, line.before, line.after) for line in found.lines] == [
        ("audio", "volume = 40   # Anna's", "volume = 55   # Anna's"),
        ("lights", "", "brightness = 1.0"),
    ]
    assert file.read_text() == TEXT


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"audio.volume": 101},
            "audio.volume: 101 is not allowed, allowed is a whole number from 0",
        ),
        ({"audio.volume": "loud"}, "audio.volume: 'loud' is not allowed"),
        ({"audio.volume": True}, "audio.volume: True is not allowed"),
        ({"hearing.barge_in": 1}, "hearing.barge_in: 1 is not allowed, allowed is true or false"),
        ({"lights.brightness": True}, "lights.brightness: True is not allowed"),
        ({"lights.brightness": "x"}, "lights.brightness: 'x' is not allowed"),
        ({"lights.night": "22-7"}, "lights.night: '22-7' is not allowed"),
        ({"turn.detection": "x\n[skills]\nfolder='/tmp'"}, "turn.detection: "),
        ({"skills.folder": "/tmp"}, "skills.folder: cannot be changed here"),
        ({"audio.volume\nx": 1}, "cannot be changed here"),
    ],
)
def test_mistake_is_named_as_by_check(
    changes: dict[str, bool | int | float | str], problem: str, file: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        preview(file, SettingsChange(revision=revision(TEXT), changes=changes))
    assert problem in caught.value.problems[0]


def test_mistakes_of_other_keys_do_not_leave(file: Path) -> None:
    text = '[realtime]\nurl = "wss://user:password@gateway.example"\nserver = "compatible"\n'
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        preview(file, change(text, audio__volume=3))
    assert list(caught.value.problems) == [BROKEN]


def test_file_that_has_changed_meanwhile_is_not_changed(file: Path) -> None:
    wish = change(TEXT, audio__volume=3)
    file.write_text(TEXT + "# more\n")
    with pytest.raises(FileChanged):
        preview(file, wish)
