"""The kinds of realtime servers: the address, key and session settings of each."""

import typing

import pytest

from parleyd import config
from parleyd.app.server_address import server_address
from parleyd.config.servers import PROFILES
from parleyd.errors import ConfigError, ParleyError
from parleyd.realtime.settings import session_settings

KEYS = {
    "OPENAI_API_KEY": "sk-openai",
    "AZURE_OPENAI_API_KEY": "azure-key",
    "XAI_API_KEY": "xai-key",
    "REALTIME_API_KEY": "my-key",
}


def realtime(text: str) -> config.RealtimeConfig:
    return config.parse(f"[realtime]\n{text}").realtime


def test_profiles_have_a_row_for_every_server() -> None:
    choices = typing.get_args(typing.get_type_hints(config.RealtimeConfig)["server"])
    assert set(choices) == {"auto", *PROFILES}


@pytest.mark.parametrize(
    ("text", "url", "header"),
    [
        (
            "",
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            {"Authorization": "Bearer sk-openai"},
        ),
        (
            'server = "openai"\nurl = "wss://eu.api.openai.com/v1/realtime"',
            "wss://eu.api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            {"Authorization": "Bearer sk-openai"},
        ),
        (
            'server = "azure"\nmodel = "mine"\nurl = "wss://r.openai.azure.com/openai/v1/realtime"',
            "wss://r.openai.azure.com/openai/v1/realtime?model=mine",
            {"api-key": "azure-key"},
        ),
        (
            'server = "xai"',
            "wss://api.x.ai/v1/realtime?model=grok-voice-latest",
            {"Authorization": "Bearer xai-key"},
        ),
        (
            'server = "localai"\nmodel = "talk"',
            "ws://127.0.0.1:8080/v1/realtime?model=talk",
            {"Authorization": "Bearer my-key"},
        ),
        (
            'server = "speech-to-speech"',
            "ws://127.0.0.1:8765/v1/realtime",
            {"Authorization": "Bearer my-key"},
        ),
        (
            'server = "compatible"\nurl = "ws://nas:9/v1/realtime"',
            "ws://nas:9/v1/realtime",
            {"Authorization": "Bearer my-key"},
        ),
    ],
)
def test_server_address_has_its_url_model_and_key(
    text: str, url: str, header: dict[str, str]
) -> None:
    address = server_address(realtime(text), KEYS)
    assert address is not None
    assert address.url == url
    assert address.headers == header


def test_server_address_without_a_key_is_embedded_or_raises() -> None:
    assert server_address(realtime(""), {}) is None
    assert server_address(realtime('server = "embedded"'), KEYS) is None
    with pytest.raises(ParleyError, match=r"/etc/parley/xai_api_key .* XAI_API_KEY"):
        server_address(realtime('server = "xai"'), {"OPENAI_API_KEY": "sk-openai"})
    local = server_address(realtime('server = "speech-to-speech"'), {"OPENAI_API_KEY": "sk-openai"})
    assert local is not None
    assert local.headers == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'url = "wss://api.openai.com.evil.net/v1"',
            "is not an address of OpenAI, and OPENAI_API_KEY is only",
        ),
        ('server = "openai"\nurl = "ws://127.0.0.1:1/v1"', 'realtime.server = "compatible"'),
        ('server = "azure"\nmodel = "m"', "like wss://RESOURCE.openai.azure.com/openai/v1"),
        ('server = "azure"\nurl = "wss://r.openai.azure.com/v1"', "realtime.model: is missing"),
        ('server = "localai"', "realtime.model: is missing"),
        ('server = "compatible"', "realtime.url: is missing"),
    ],
)
def test_parse_server_with_missing_or_foreign_values_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        realtime(text)
    (problem,) = caught.value.problems
    assert told in problem


def test_session_settings_flat_has_voice_and_vad_at_the_top() -> None:
    nested = session_settings(realtime(""), config.TurnConfig())
    flat = session_settings(realtime('server = "xai"'), config.TurnConfig())
    assert not {"voice", "turn_detection"} & set(nested)
    assert flat["voice"] == "ara"
    assert flat["turn_detection"] == nested["audio"]["input"]["turn_detection"]
    assert "turn_detection" not in flat["audio"]["input"]
    assert "voice" not in flat["audio"]["output"]


AZURE = 'server = "azure"\nurl = "wss://r.openai.azure.com/openai/v1/realtime"\nmodel = "m"'


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("", "marin"),
        (AZURE, "marin"),
        ('server = "xai"', "ara"),
        ('server = "xai"\nvoice = "leo"', "leo"),
        ('voice = "cedar"', "cedar"),
        ('server = "localai"\nmodel = "p"', None),
        ('server = "compatible"\nurl = "ws://nas/v1"', None),
        ('server = "compatible"\nurl = "ws://nas/v1"\nvoice = "Cherry"', "Cherry"),
    ],
)
def test_voice_is_the_servers_own_unless_configured(text: str, voice: str | None) -> None:
    settings = session_settings(realtime(text), config.TurnConfig())
    assert settings.get("voice", settings["audio"]["output"].get("voice")) == voice
