"""The configuration: all problems at once, each with what is allowed; secrets never shown."""

import tomllib
import typing
from importlib.resources import files
from pathlib import Path

import pytest

from parleyd import config
from parleyd.errors import ConfigError

DEFAULT = files("parleyd").joinpath("default.toml").read_text("utf-8")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return list(caught.value.problems)


def test_the_annotated_file_is_the_defaults() -> None:
    assert config.parse(DEFAULT) == config.Config()


def test_the_annotated_file_documents_every_key() -> None:
    sections = typing.get_type_hints(config.Config)
    tables = tomllib.loads(DEFAULT)
    assert set(tables) == set(sections)
    for name, kind in sections.items():
        for key in typing.get_type_hints(kind):
            assert f"\n{key} = " in DEFAULT or f"\n# {key} = " in DEFAULT, f"{name}.{key}"


def test_all_problems_come_at_once_with_what_is_allowed() -> None:
    text = """
    [audio]
    lead_ms = 5
    captur = "hw:1"
    playback_rate_hz = 22050
    [wak]
    engine = "x"
    [wake]
    keywords = []
    sensitivity = "high"
    [buttons]
    push_pin = 99
    """
    told = problems(text)
    assert told == [
        "audio.lead_ms: 5 is not allowed: expected int >= 20, "
        "allowed is a whole number from 20 to 200",
        "audio.captur: is unknown, did you mean capture?",
        "audio.playback_rate_hz: 22050 is not allowed: invalid enum value 22050, "
        "allowed is 16000 or 24000 or 44100 or 48000",
        "section [wak]: is unknown, did you mean wake?",
        "wake.keywords: [] is not allowed: expected array of length >= 1, "
        "allowed is a list of strings with 1 to 8 entries",
        "wake.sensitivity: 'high' is not allowed: expected float, got str, "
        "allowed is a number from 0.0 to 1.0",
        "buttons.push_pin: 99 is not allowed: expected int <= 27, "
        "allowed is a whole number from 0 to 27",
    ]


def test_whole_numbers_are_good_numbers() -> None:
    assert config.parse("[turn]\nfollow_up_s = 5").turn.follow_up_s == 5.0


def test_what_only_shows_across_keys_is_told_too() -> None:
    told = problems("[lights]\noutput='led'\nled_pin=23\n[buttons]\npush_pin=23\nmute_pin=23")
    assert len(told) == 2
    assert all("already used by buttons.push_pin" in line for line in told)


@pytest.mark.parametrize("name", ["Authorization", "api-key"])
def test_a_key_in_the_file_is_refused_and_not_repeated(name: str) -> None:
    (told,) = problems(f'[realtime]\nheaders = {{ {name} = "Bearer sk-secret" }}')
    assert "sk-secret" not in told
    assert "OPENAI_API_KEY" in told


def test_a_wrong_address_is_named() -> None:
    (told,) = problems('[realtime]\nurl = "https://example.org"')
    assert told.startswith("realtime.url: 'https://example.org' is not a WebSocket address")


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none.toml", "cannot be read"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=words):
            config.load(path)
    broken = tmp_path / "broken.toml"
    broken.write_text("[audio\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(broken)
    assert config.load(None) == config.Config()


def test_keys_come_from_credentials_before_the_environment(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": " from-environment\n"}
    assert config.secret("OPENAI_API_KEY", environ) == "from-environment"
    assert config.secret("OPENAI_API_KEY", {}) is None
    assert config.secret("OPENAI_API_KEY", {"OPENAI_API_KEY": " "}) is None
    (tmp_path / "openai_api_key").write_text("from-credential\n")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert config.secret("OPENAI_API_KEY", environ) == "from-credential"
    (tmp_path / "openai_api_key").write_bytes(b"\xff")
    assert config.secret("OPENAI_API_KEY", environ) == "from-environment"


HOME = "[[skills.mcp]]\nlabel = 'home'\nserver_url = 'https://mcp.example.org/mcp'\n"


def test_remote_servers_are_a_table_each_and_need_a_yes_unless_told_otherwise() -> None:
    text = HOME + "[[skills.mcp]]\nlabel='b'\nserver_url='https://b.example'\napproval='never'"
    home, other = config.parse(text).skills.mcp
    assert (home.label, home.approval, home.allowed_tools) == ("home", "voice", ())
    assert other.approval == "never"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HOME + "approval = 'always'", "skills.mcp[1].approval: 'always' is not allowed"),
        (HOME + "authorization = 'sk-secret'", "skills.mcp[1].authorization: is unknown"),
        (HOME + "key = 'sk-secret'", "skills.mcp[1].key: is no name"),
        (HOME + "key_header = 'X-Key'", "skills.mcp[1].key: is missing"),
        (HOME + HOME, "skills.mcp[2].label: 'home' is not allowed"),
        (HOME.replace("https", "http"), "skills.mcp[1].server_url: is no bare https address"),
        (
            HOME.replace("/mcp'", "/mcp?k=sk-secret'"),
            "skills.mcp[1].server_url: is no bare https address",
        ),
        (
            HOME.replace("mcp.", "u:sk-secret@mcp."),
            "skills.mcp[1].server_url: is no bare https address",
        ),
        ("[[skills.mcp]]\nlabel = 'x y'", "skills.mcp[1].label"),
        (HOME * 9, "skills.mcp: "),
        ("[skills]\nmcp = ['https://mcp.example.org']", "skills.mcp: "),
        ("[realtime]\nserver = 'embedded'\n" + HOME, "'openai' or 'azure'"),
        ("[realtime]\nserver = 'xai'\n" + HOME, '"xai" does not call remote servers'),
    ],
)
def test_what_is_wrong_with_a_remote_server_is_told_without_its_secrets(
    text: str, told: str
) -> None:
    lines = problems(text)
    assert any(told in line for line in lines)
    assert "sk-secret" not in str(lines)
