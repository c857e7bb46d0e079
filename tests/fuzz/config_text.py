"""Configuration files as written by people, editors and failing disks."""

import re
from importlib.resources import files

from hypothesis import strategies as st

from parleyd import config
from parleyd.config.servers import PROFILES, profile
from parleyd.errors import ConfigError
from parleyd.realtime.connection import ServerAddress

DEFAULT = files("parleyd.config").joinpath("default.toml").read_text("utf-8")
KEYS = sorted(set(re.findall(r"(?m)^#? ?(\w+) = ", DEFAULT)))
SECTIONS = [*re.findall(r"(?m)^\[(\w+)\]", DEFAULT), "realtime.headers", "unknown"]
VALUES = st.one_of(
    st.integers(-2, 400).map(str),
    st.sampled_from(
        [
            "true",
            '"yes"',
            '""',
            "[]",
            '["alexa", "stop"]',
            "{}",
            '{ "X-Own" = "1" }',
            '{ "Api-Key" = "1" }',
            "nan",
            "-inf",
            "1e400",
            "9" * 5000,
            "1979-05-27",
            "07:32:00",
            "0x11",
            '"' + "x" * 5000 + '"',
            "[" * 3000,
            "{a=" * 500,
            '"\\u0000"',
            '"22:00-07:00"',
            '"99:99-a"',
            "'wss://[::1'",
            "'wss://a b/%zz'",
            "'ws://nas:99999/x?model=y'",
            "'ws://nas:port'",
            "'wss://api.openai.com.evil.example'",
            "'wss://ä.example'",
            *(f'"{name}"' for name in PROFILES),
            '"respeaker-2mic"',
            '"server_vad"',
            '"local"',
        ]
    ),
    st.floats(width=32).map(repr),
    st.text(max_size=5).map(lambda text: f'"{text}"'),
)
LINES = st.one_of(
    st.builds("{} = {}".format, st.sampled_from([*KEYS, "board"]), VALUES),
    st.builds("{} = {}".format, st.sampled_from(["server", "url", "model", "board"]), VALUES),
    st.builds("[{}]".format, st.sampled_from(SECTIONS)),
    st.builds("[[{}]]".format, st.sampled_from(SECTIONS)),
)


@st.composite
def _edited(draw: st.DrawFn) -> str:
    """Draw the default file with some keys enabled and one or two damaged places."""
    lines = DEFAULT.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["replace", "insert", "cut", "value"])):
            case "replace":
                lines[place] = draw(LINES)
            case "insert":
                lines.insert(place, draw(LINES))
            case "cut":
                lines[place] = lines[place][: draw(st.integers(0, 20))]
            case _:
                key = lines[place].partition("=")[0].lstrip("# ")
                lines[place] = f"{key} = {draw(VALUES)}"
    return "\n".join(lines)


TEXTS: st.SearchStrategy[str] = st.one_of(
    st.lists(LINES, max_size=8).map("\n".join),
    st.builds("[{}]\n{}".format, st.sampled_from(SECTIONS), st.lists(LINES).map("\n".join)),
    _edited(),
)


def check(text: str) -> None:
    """The parser returns a configuration or raises a `ConfigError` with place and reason."""
    try:
        settings = config.parse(text, source="parley.toml")
    except ConfigError as error:
        problems = error.problems
    else:
        problems = ()
        ServerAddress.of(settings.realtime, profile(settings.realtime.server), "key")
    for problem in problems:
        where, _, what = problem.partition(": ")
        assert where, problem
        assert what, problem
        assert len(problem) < 1000, "the message is too long to read"
