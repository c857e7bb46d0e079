"""Board profiles: each is valid alone, and the user's own keys override it."""

import tomllib
from pathlib import Path

import pytest

from parleyd import config
from parleyd.config import boards
from parleyd.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", boards.names())
def test_board_is_a_valid_config_that_names_its_cards(name: str) -> None:
    settings = config.parse(f'board = "{name}"')
    assert settings.board == name
    assert settings.audio.capture.startswith("plughw:CARD=")
    assert settings.audio.playback.startswith("plughw:CARD=")
    assert settings.lights.output != "none"
    assert name in (ROOT / "hardware/README.md").read_text("utf-8")


def test_board_keys_are_overridden_one_by_one() -> None:
    settings = config.parse('board = "respeaker-2mic"\n[lights]\nleds = 12\n[audio]\nlead_ms = 60')
    assert (settings.lights.leds, settings.lights.output) == (12, "apa102")
    assert (settings.audio.lead_ms, settings.buttons.push_pin) == (60, 17)
    assert settings.audio.capture == "plughw:CARD=wm8960soundcard"


def test_board_empty_is_the_defaults() -> None:
    assert config.parse('board = ""') == config.Config()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('board = "respeaker-2mics"', "did you mean respeaker-2mic?"),
        ('board = "toaster-9000"', "allowed are aiy-voice-kit, max98357a-i2s"),
        ("board = 7", "board: 7 is unknown"),
        ('board = "../default"', "is unknown"),
    ],
)
def test_board_unknown_is_refused_with_the_known_ones(line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        config.parse(line)


def test_config_button_on_a_pin_of_the_leds_is_refused() -> None:
    with pytest.raises(ConfigError, match="GPIO 10 is already used"):
        config.parse('[lights]\noutput = "ws2812"\n[buttons]\npush_pin = 10')


def test_default_file_names_every_board() -> None:
    text = (ROOT / "daemon/parleyd/config/default.toml").read_text("utf-8")
    assert all(name in text for name in boards.names())


def test_board_folder_in_hardware_is_the_installed_one() -> None:
    assert (ROOT / "hardware/boards").resolve() == Path(boards.__file__).parent
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "config/boards/*.toml" in listed["tool"]["setuptools"]["package-data"]["parleyd"]
