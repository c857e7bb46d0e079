"""Invalid keys and headers are refused by name, and a value is never shown."""

from pathlib import Path

import pytest

from parleyd import config
from parleyd.config.credentials import header_flaw, key_flaw
from parleyd.errors import ConfigError

NAME = "OPENAI_API_KEY"
GOOD = [
    "sk-proj-Ab_0123456789",
    "xai-0123456789",
    "a" * 32,
    "QUJDRA==",  # base64, as Picovoice's
    "pico+/key=",
    "1|abc:def",
    "eyJhbGciOi.J9.e30",
    "x" * 4096,
]
BAD = [
    (b"sk-1\n\nsk-2\n", "more than one line"),
    (b"sk-1\r\nX-Evil: 1", "more than one line"),
    (b"sk-1\rsk-2", "more than one line"),
    (b'"sk-1"\n', "quotes"),
    (b"'sk-1'\n", "quotes"),
    ("“sk-1”".encode(), "quotes"),
    (b"OPENAI_API_KEY=sk-1\n", "NAME="),
    (b"export OPENAI_API_KEY=sk-1\n", "NAME="),
    (b"key = sk-1\n", "NAME="),
    (b"api-key=sk-1\n", "NAME="),
    (b"$env:OPENAI_API_KEY=sk-1\n", "NAME="),
    (b"set OPENAI_API_KEY=sk-1\r\n", "NAME="),
    (b"OPENAI_API_KEY:sk-1\n", "NAME:"),
    (b"x-api-key: sk-1\n", "NAME:"),
    (b"<your-key>\n", "placeholder"),
    (b"{OPENAI_API_KEY}\n", "placeholder"),
    (b"${OPENAI_API_KEY}\n", "placeholder"),
    (b"$OPENAI_API_KEY\n", "placeholder"),
    (b"Bearer sk-1\n", "space"),
    (b"sk- 1\n", "space"),
    (b"sk-1\t2\n", "space"),
    ("sk—1".encode(), "outside ASCII"),
    ("sk-\u200b1".encode(), "outside ASCII"),
    ("sk-\u0430bc".encode(), "outside ASCII"),  # a Cyrillic letter
    (b"\xef\xbb\xbfsk-1\n", "byte-order mark"),
    ("sk-1\n".encode("utf-16"), "not text"),
    (b"sk-\x00sk", "not text"),
    (b"\x7fELF\x01", "control character"),
    (b"sk-\x1b[31m", "control character"),
    (b"\xff\xfe\x00", "not text"),
    (b"y" * 5000, "longer than"),
]


@pytest.mark.parametrize("value", GOOD)
def test_secret_of_valid_form_is_returned(value: str, tmp_path: Path) -> None:
    assert config.secret(NAME, {NAME: f" {value}\r\n"}) == value
    (tmp_path / NAME.lower()).write_text(f"{value}\n")
    assert config.secret(NAME, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == value


@pytest.mark.parametrize(("data", "words"), BAD)
def test_secret_of_invalid_form_is_refused_by_name(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / NAME.lower()).write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        config.secret(NAME, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{NAME}: is not in the form of a key: ")
    assert words in problem
    assert problem.isprintable()
    assert "sk-1" not in problem
    assert "yyy" not in problem


def test_secret_of_invalid_form_in_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than one line"):
        config.secret(NAME, {NAME: "sk-1\nsk-2"})


def test_secret_that_is_empty_or_missing_is_none(tmp_path: Path) -> None:
    (tmp_path / NAME.lower()).write_bytes(b" \r\n")
    assert config.secret(NAME, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    assert config.secret(NAME, {NAME: ""}) is None


def test_key_flaw_of_a_key_is_none() -> None:
    assert [key_flaw(value) for value in GOOD] == [""] * len(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OpenAI-Safety-Identifier", "kitchen"),
        ("X-Title", "Parley (kitchen), 2nd floor"),
        ("User-Agent", "x/1"),
        ("Origin", "https://example.org"),
        ("X-Empty", ""),
    ],
)
def test_header_of_valid_form_has_no_flaw(name: str, value: str) -> None:
    assert header_flaw(name, value) == ""


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("X-A", "b\r\nX-Evil: 1", "line break"),
        ("X-A", "b\n", "line break"),
        ("X-A", "b\x00", "line break"),
        ("X-A", "Küche", "outside ASCII"),
        ("X-A", " b", "space at an end"),
        ("X-A: 1\r\nX-Evil", "b", "not a header name"),
        ("X A", "b", "not a header name"),
        ("", "b", "not a header name"),
        ("Ü", "b", "not a header name"),
        ("X:", "b", "not a header name"),
        ("Host", "evil", "set by Parley"),
        ("UPGRADE", "x", "set by Parley"),
        ("connection", "close", "set by Parley"),
        ("Sec-WebSocket-Key", "x", "set by Parley"),
        ("Sec-WebSocket-Protocol", "x", "set by Parley"),
        ("Proxy-Authorization", "Basic x", "set by Parley"),
        ("Cookie", "a=b", "set by Parley"),
        ("Transfer-Encoding", "chunked", "set by Parley"),
        ("Content-Length", "5", "set by Parley"),
        ("TE", "trailers", "set by Parley"),
    ],
)
def test_header_of_invalid_form_has_a_flaw(name: str, value: str, words: str) -> None:
    assert words in header_flaw(name, value)
