"""The annotated default file against the schema: keys, order, defaults and bounds."""

import re
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
import pytest

from parleyd import config
from parleyd.config import schema

DEFAULT = files("parleyd.config").joinpath("default.toml").read_text("utf-8")
HEADER = re.compile(r"\[(\w+)\]")
KEY = re.compile(r"(?P<off># )?(?P<key>[a-z]\w*) = (?P<value>.*)")
TEXT_LIMIT = 2000  # characters; the head of the file names it once for all texts

SECTIONS = typing.get_type_hints(config.Config, include_extras=True)
TABLES: dict[str, type[msgspec.Struct]] = {
    name: kind for name, kind in SECTIONS.items() if kind is not str
}
KEYS = [f"{name}.{key}" for name, kind in TABLES.items() for key in kind.__struct_fields__]


@dataclass(frozen=True)
class Entry:
    """One key of the file."""

    name: str
    comment: str
    """The lines above the key, or above the group of keys that it belongs to."""
    off: bool
    """Whether the key itself is a comment."""
    value: str
    """The rest of its first line."""


def entries(text: str) -> Iterator[Entry]:
    section, comment, grouped = "", "", False
    for line in text.splitlines():
        if header := HEADER.fullmatch(line):
            section, comment = f"{header[1]}.", ""
        elif (key := KEY.fullmatch(line)) and f"{section}{key['key']}" in [*KEYS, "board"]:
            grouped = True
            yield Entry(f"{section}{key['key']}", comment, bool(key["off"]), key["value"])
        elif line.startswith("# "):
            comment = f"{'' if grouped else comment} {line.removeprefix('# ')}".strip()
            grouped = False


ENTRIES = {entry.name: entry for entry in entries(DEFAULT)}


def hint_of(name: str) -> Any:
    section, key = name.split(".")
    return typing.get_type_hints(SECTIONS[section], include_extras=True)[key]


def bounds(hint: Any) -> Iterator[str]:
    """A pattern for each bound that a reader must find in the comment."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        yield from (rf"(?<![\w-])\"?{re.escape(str(choice))}\"?(?![\w-])" for choice in arguments)
    elif origin is Annotated:
        meta = arguments[1]
        limits = [meta.ge, meta.le, meta.min_length, meta.max_length]
        if arguments[0] is str and meta.max_length in (None, TEXT_LIMIT):
            limits = []
        yield from (
            rf"(?<![\d.]){limit:g}(?:\.0)?(?!\.?\d)" for limit in limits if limit is not None
        )
        yield from bounds(arguments[0])
    else:
        for argument in arguments:
            yield from bounds(argument)


def test_default_file_is_the_defaults() -> None:
    assert config.parse(DEFAULT) == config.Config()


def test_default_file_has_the_sections_in_order() -> None:
    assert list(tomllib.loads(DEFAULT)) == list(SECTIONS)


def test_default_file_has_every_key_once_in_order() -> None:
    found = [entry.name for entry in entries(DEFAULT)]
    assert found == ["board", *KEYS]


@pytest.mark.parametrize("name", KEYS)
def test_default_file_comments_the_key(name: str) -> None:
    comment = ENTRIES[name].comment
    assert len(comment) > 5, "no comment"
    assert comment.rstrip('"').endswith((".", ")", ":")), comment


@pytest.mark.parametrize("name", KEYS)
def test_default_file_shows_the_default_value(name: str) -> None:
    section, key = name.split(".")
    default = getattr(SECTIONS[section](), key)
    shown = tomllib.loads(DEFAULT)[section].get(key)
    if ENTRIES[name].off:
        assert default in (None, ())
        assert shown is None
        example = tomllib.loads(f"{key} = {ENTRIES[name].value}")[key]
        msgspec.convert(example, hint_of(name))
    else:
        assert msgspec.convert(shown, hint_of(name)) == default


@pytest.mark.parametrize("name", [name for name in KEYS if list(bounds(hint_of(name)))])
def test_default_file_names_every_bound(name: str) -> None:
    shown = ENTRIES[name].comment
    missing = [bound for bound in bounds(hint_of(name)) if not re.search(bound, shown)]
    assert missing == [], shown


@pytest.mark.parametrize(
    "name", [key for key in KEYS if '""' in ENTRIES[key].comment and key != "skills.mcp"]
)
def test_default_file_empty_text_is_allowed(name: str) -> None:
    assert msgspec.convert("", hint_of(name)) == ""


def test_default_file_names_the_length_of_texts() -> None:
    head = DEFAULT.split("[audio]")[0]
    assert str(TEXT_LIMIT) in head
    for limited in (schema.Text, schema.Url):
        assert typing.get_args(limited)[1].max_length == TEXT_LIMIT


def test_default_file_examples_of_mcp_servers_are_valid() -> None:
    example = DEFAULT[DEFAULT.index("# [[skills.mcp]]") : DEFAULT.index("[lights]")]
    lines = [line.removeprefix("# ").lstrip("#") for line in example.splitlines()]
    remote, here = config.parse('[realtime]\nserver = "openai"\n' + "\n".join(lines)).skills.mcp
    assert (remote.where, here.where) == ("server", "here")
    written = tomllib.loads("\n".join(lines))["skills"]["mcp"]
    assert set(written[0]) | set(written[1]) == set(here.__struct_fields__)


def test_section_docstring_is_one_or_two_sentences() -> None:
    for kind in TABLES.values():
        about = vars(kind).get("__doc__") or ""
        first, _, rest = about.partition("\n")
        assert first.endswith("."), kind
        assert len(re.findall(r"\.(?:\s|$)", about)) <= 2, kind
        assert not rest or rest.startswith("\n"), kind


def test_config_exports_its_sections_by_name() -> None:
    exported = {value for value in vars(config).values() if isinstance(value, type)}
    assert exported == {*TABLES.values(), config.Config, config.McpServerConfig}
