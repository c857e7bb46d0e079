"""Changes of single values in the text of a configuration file."""

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd import config
from parleyd.config.editing import Value, with_values
from parleyd.errors import ConfigError

DEFAULTS = files("parleyd.config").joinpath("default.toml").read_text("utf-8")
NEW = re.sub(r"(?m)^(?=[^#\[\n])", "#", DEFAULTS)  # as the installation writes it
VALUES: dict[str, Value] = {
    "audio.volume": 55,
    "wake.sensitivity": 0.25,
    "hearing.barge_in": False,
    "lights.night": "22:00-07:00",
    "turn.detection": "local",
    "wake.keywords": ("alexa", "okay_nabu"),
    "board": "usb-gpio",
}


def edited(text: str, **values: Value) -> str:
    return with_values(text, {k.replace("__", "."): v for k, v in values.items()}, "file")[0]


@pytest.mark.parametrize("text", [DEFAULTS, NEW, ""], ids=["defaults", "new file", "empty"])
def test_all_kinds_of_values_are_set_and_nothing_else(text: str) -> None:
    after, lines = with_values(text, VALUES, "file")
    settings = config.parse(after)
    for name, value in VALUES.items():
        section, _, key = name.rpartition(".")
        assert getattr(getattr(settings, section) if section else settings, key) == value
    assert [line.after.partition(" = ")[0] for line in lines] == [n.split(".")[-1] for n in VALUES]
    removed = [line.before for line in lines if line.before]
    kept = [line for line in text.splitlines() if line not in removed]
    assert [line for line in kept if line not in after.splitlines()] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[audio]\nvolume = 70\n", "[audio]\nvolume = 5\n"),
        ("[audio]\n  volume=70# loud\n", "[audio]\n  volume=5# loud\n"),
        ("[ audio ] # cards\r\nvolume = 70\r\n", "[ audio ] # cards\r\nvolume = 5\r\n"),
        ("[audio]", "[audio]\nvolume = 5\n"),
        ("[audio]\n# volume = 70\n[wake]\n", "[audio]\n# volume = 70\nvolume = 5\n[wake]\n"),
        (
            "[wake]\r\nstop_word = true",
            "[wake]\r\nstop_word = true\r\n\r\n[audio]\r\nvolume = 5\r\n",
        ),
        (
            'x = """\n[audio]\nvolume = 1\n"""\n[audio]\nvolume = 2',
            'x = """\n[audio]\nvolume = 1\n"""\n[audio]\nvolume = 5',
        ),
        ("x = [\n'[audio]',\n]\n[audio]\nvolume=3\n", "x = [\n'[audio]',\n]\n[audio]\nvolume=5\n"),
        ("[[a]]\nvolume = 1\n[audio]\nvolume = 2\n", "[[a]]\nvolume = 1\n[audio]\nvolume = 5\n"),
    ],
)
def test_line_keeps_its_form(before: str, after: str) -> None:
    assert edited(before, audio__volume=5) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[wake]\nkeywords = [\"a\", 'b]'] # two\n", '[wake]\nkeywords = ["c"] # two\n'),
        ('[wake]\n#keywords = ["a"]\n', '[wake]\n#keywords = ["a"]\nkeywords = ["c"]\n'),
        ('[wake]\nkeywords = "a"\n', '[wake]\nkeywords = ["c"]\n'),
    ],
)
def test_list_on_one_line_is_replaced(before: str, after: str) -> None:
    assert edited(before, wake__keywords=("c",)) == after


def test_list_of_several_lines_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"wake\.keywords: .* change it by hand"):
        edited('[wake]\nkeywords = [\n"a"]\n', wake__keywords=("c",))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[audio]\nvolume = 1\n", 'board = "x"\n[audio]\nvolume = 1\n'),
        ('# c\n#board = ""\n\n[audio]\n', '# c\n#board = ""\nboard = "x"\n\n[audio]\n'),
        ('board = "y" # mine\n', 'board = "x" # mine\n'),
    ],
)
def test_key_above_the_sections_is_set(before: str, after: str) -> None:
    assert edited(before, board="x") == after


@pytest.mark.parametrize(
    "text",
    [
        "audio.volume = 3\n",
        "audio = {volume = 3}\n",
        "audio = 3\n",
        '["audio"]\nvolume = 3\n',
        '[audio]\n"volume" = 3\n',
        "[audio]\nvolume = [\n3]\n",
        '[audio]\nvolume = """\n3"""\n',
        "[audio.volume]\nx = 1\n",
    ],
)
def test_unusual_form_is_refused_with_the_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"audio\.volume: .* change it by hand"):
        edited(text, audio__volume=5)


def test_text_outside_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not valid TOML"):
        edited("[audio\n", audio__volume=5)


PIECES = st.sampled_from(
    ["[audio]\n", "[wake] # x\n", "[[m]]\n", "volume = 70\n", "volume = '''\n[audio]\n'''\n",
     "\r\n", "a = [\n[1],\n", "]\n", "# volume = 3\n", 'b = "[audio]"\n', "volume=0x1f#\n", "\t",
     '"', "c.d = 1\n", 'e = """\\"""\n[audio]\n"""\n', "audio.volume = 1\n", "volume = 1e3\n", "{",
     "}", "=", "\r"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join), st.integers(0, 100))
def test_any_text_is_changed_exactly_or_refused(text: str, volume: int) -> None:
    try:
        after = edited(text, audio__volume=volume)
    except ConfigError:
        return
    wanted: dict[str, Any] = tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    wanted.setdefault("audio", {})["volume"] = volume
    assert tomllib.loads(after.replace("\r\n", "\n").replace("\r", "\n")) == wanted


@given(st.text(max_size=60))
def test_any_value_stays_a_value(night: str) -> None:
    after = edited("[lights]\nbrightness = 0.5\n", lights__night=night)
    assert tomllib.loads(after) == {"lights": {"brightness": 0.5, "night": night}}
