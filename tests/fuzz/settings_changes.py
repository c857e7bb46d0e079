"""Changes of settings, of a page that went wrong, to files as in `config_text`."""

import json
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from parleyd import config
from parleyd.page.saving import save
from parleyd.page.settings import KEYS, revision
from tests.fuzz import config_text

NAMES = [f"{section}.{key}" for section, keys in KEYS.items() for key in keys]
VALUES: st.SearchStrategy[object] = st.one_of(
    st.booleans(),
    st.integers(-2, 400),
    st.floats(0, 2),
    st.sampled_from(["local", "duck", "22:00-07:00", "", '"', "\n[skills]\n", "\x00", "\ud800"]),
    st.sampled_from([None, [], {}, 10**400, 2**53, float("inf")]),
)
WISHES = st.dictionaries(
    st.one_of(st.sampled_from(NAMES), st.sampled_from(["skills.folder", "audio", "", "a.b.c"])),
    VALUES,
    max_size=4,
)
CHANGES = st.tuples(
    st.one_of(config_text.TEXTS, st.just(config_text.DEFAULT), st.just("")),
    st.one_of(WISHES.map(json.dumps), st.text(max_size=20), st.just("[" * 5000)),
)


def check(change: tuple[str, str]) -> None:
    """A saved file is right in every key; a refused change leaves no trace."""
    text, wish = change
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parley.toml"
        file.write_bytes(data := text.encode("utf-8", "surrogatepass"))
        line = f'{{"revision":"{_revision(data)}","changes":{wish}}}'
        reply = save(file, line.encode("utf-8", "surrogatepass"))
        if reply.saved:
            before, after = config.load(file.with_name("parley.toml.before")), config.load(file)
            for name in ("page", "hooks", "mqtt", "log", "playout", "buttons", "home"):
                assert getattr(before, name) == getattr(after, name)
            assert before.skills.folder == after.skills.folder
            assert before.realtime.url == after.realtime.url
        else:
            assert reply.problems
            assert file.read_bytes() == data
            assert [path.name for path in file.parent.iterdir()] == ["parley.toml"]


def _revision(data: bytes) -> str:
    try:
        return revision(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return ""
