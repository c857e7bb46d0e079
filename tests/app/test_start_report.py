"""The first lines of the log."""

from pathlib import Path

import pytest

from parleyd import __version__, config
from parleyd.app.server_address import server_name
from parleyd.app.start_report import of_configuration, of_process


def test_the_process_names_its_version_file_and_folder() -> None:
    line = of_process(Path("/etc/parley/parley.toml"), Path("/var/lib/parley"))
    assert line == (
        f"Parley {__version__}; configuration: /etc/parley/parley.toml; state: /var/lib/parley"
    )
    assert "configuration: the default values;" in of_process(None, Path("/s"))
    assert "\x1b" not in of_process(Path("/\x1b[2J"), Path("/s"))


@pytest.mark.parametrize(
    ("toml", "key", "line"),
    [
        ("", "", 'say: "hey jarvis"; server: embedded, commands only;'),
        ("", "sk-test-0123456789abcdef", 'say: "hey jarvis"; server: api.openai.com;'),
        (
            'wake.keywords = ["/etc/parley/wake/okay_computer.json", "alexa"]',
            "",
            'say: "okay computer" or "alexa";',
        ),
        (
            'realtime.server = "compatible"\nrealtime.url = "ws://localhost:9/v1?model=m"',
            "",
            'say: "hey jarvis"; server: localhost;',
        ),
        ('audio.capture = "plughw:CARD=Mic"', "", "microphone: 'plughw:CARD=Mic'; loudspeaker: "),
    ],
)
def test_a_configuration_names_word_server_and_cards(toml: str, key: str, line: str) -> None:
    told = of_configuration(config.parse(toml), {"OPENAI_API_KEY": key} if key else {})
    assert line in told
    assert key not in told or not key


@pytest.mark.parametrize(
    ("server", "key", "name"),
    [("auto", "", "embedded"), ("auto", "sk-test", "openai"), ("embedded", "sk-test", "embedded")],
)
def test_the_server_that_answers_has_a_name(server: str, key: str, name: str) -> None:
    settings = config.parse(f'realtime.server = "{server}"').realtime
    assert server_name(settings, {"OPENAI_API_KEY": key} if key else {}) == name
