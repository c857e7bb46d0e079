"""The form of a key that a person enters, and its maker; no message holds the key."""

import pytest

from parleyd.config.key_makers import entry_flaw, maker_of, wrong_maker

REST = "Zq7wXy9vBn3mKl5jHg8fDs2a"


@pytest.mark.parametrize(
    ("server", "begins", "words"),
    [
        ("auto", "sk-proj-", ""),
        ("openai", "sk-svcacct-", ""),
        ("openai", "sk-", ""),
        ("auto", "sk-ant-api03-", "a key of Anthropic, expected is one of OpenAI"),
        ("openai", "sk-or-v1-", "OpenRouter"),
        ("openai", "sk-admin-", "OpenAI's administration"),
        ("auto", "xai-", "a key of xAI, expected is one of OpenAI"),
        ("xai", "sk-proj-", "a key of OpenAI, expected is one of xAI"),
        ("xai", "xai-", ""),
        ("auto", "AIza", "Google"),
        ("auto", "gsk_", "Groq"),
        ("auto", "0123", 'does not begin with "sk-"'),
        ("azure", "0123", ""),
        ("azure", "sk-proj-", "expected is one of Azure"),
        ("localai", "sk-ant-", ""),
        ("compatible", "hf_", ""),
    ],
)
def test_key_of_another_maker_is_named(server: str, begins: str, words: str) -> None:
    told = wrong_maker(server, begins + REST)
    assert (words in told) if words else told == ""
    assert REST not in told


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        (f"sk-{REST}", ""),
        (f'"sk-{REST}"', "quotes"),
        (f"“sk-{REST}”", "quotes"),
        (f"Bearer sk-{REST}", 'without "Bearer"'),
        (f"sk-{REST} {REST}", "space"),
        (f"export OPENAI_API_KEY=sk-{REST}", "NAME="),
        (f"OPENAI_API_KEY: sk-{REST}", "NAME="),
        (f"sk-{REST}\nsk-{REST}", "more than one line"),
        ("/root/openai.txt", "path of a file"),
        ("~/openai.key", "path of a file"),
        ("C:\\keys\\openai.txt", "path of a file"),
        ("sk-...", "6 of at least 20"),
        ("$OPENAI_API_KEY", "placeholder"),
        ("y", "1 of at least 20"),
        ("", "empty"),
        (f"sk–{REST}", "outside ASCII"),
    ],
)
def test_wrong_form_is_named(entered: str, words: str) -> None:
    told = entry_flaw(entered)
    assert (words in told) if words else told == ""
    assert REST not in told


def test_maker_names_the_server_that_takes_its_keys() -> None:
    maker = maker_of(f"xai-{REST}")
    assert maker is not None
    assert maker.server == "xai"
