"""Files that Parley reads back, after a power cut, a full disk or somebody's editor."""

import contextlib
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from parleyd import config, stereo
from parleyd.cli import turns as table
from parleyd.cli.journal import turns
from parleyd.errors import ConfigError, ParleyError
from parleyd.room.replay import replay
from parleyd.skills.alarms import Moment
from parleyd.skills.mute import Mute
from parleyd.skills.store import Store
from parleyd.skills.timers import Timers, spoken
from tests.fuzz.server_text import JUNK, TEXTS

WALL = 1_800_000_000.0

# --- what skills keep -----------------------------------------------------------------

TIMES = st.sampled_from([0.0, WALL, WALL + 60, WALL - 60, WALL + 1e6, -1.0, 1e18, 1e308, -1e308])
ALARM = st.fixed_dictionaries(
    {"id": st.integers(-1, 3), "name": TEXTS, "due": TIMES, "timer": st.booleans()}
)
KEPT = st.fixed_dictionaries(
    {}, optional={"alarms": st.lists(ALARM, max_size=20), "muted_until": TIMES, "new": JUNK}
)


def _spoilt(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The file as it should be, cut off, with a wrong byte, or something else altogether."""
    return st.one_of(
        whole,
        st.tuples(whole, st.floats(0, 1)).map(lambda t: t[0][: int(len(t[0]) * t[1])]),
        st.tuples(whole, st.floats(0, 0.99), st.binary(min_size=1, max_size=4)).map(_overwritten),
        st.binary(max_size=60),
    )


def _overwritten(change: tuple[bytes, float, bytes]) -> bytes:
    data, place, new = change
    at = int(len(data) * place)
    return data[:at] + new + data[at + len(new) :]


STATE_FILES = st.one_of(
    _spoilt(st.one_of(KEPT, JUNK).map(lambda kept: json.dumps(kept).encode())),
    st.sampled_from([b"[" * 5000, b'{"alarms":' + b"[" * 5000]),
)


def check_state(data: bytes) -> None:
    """Whatever the file says, timers and the muted microphone work; what is bad is put aside."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "skills.json"
        path.write_bytes(data)
        store = Store(path)
        now = Moment(WALL, 100.0)
        timers = Timers(store.kept.alarms, lambda: now)
        for alarm in timers.take_due():
            assert spoken(alarm)
        timers.list_timers()
        mute = Mute(until=store.kept.muted_until, apply=lambda closed: None, clock=lambda: now.wall)
        mute.look()
        store.keep(muted_until=WALL)
        assert Store(path).kept.muted_until == WALL


# --- the log of turns -----------------------------------------------------------------

MESSAGES = st.one_of(
    st.builds(
        "{} turn={} heard_ms={} cost={} begun_by={}".format,
        st.sampled_from(["turn", "usage", "state"]),
        st.sampled_from(["1", "2", "-1", "nan", "inf", "1e400", "9" * 400, "", "x"]),
        st.sampled_from(["310", "nan", "-inf", "None", "True", "1e308"]),
        st.sampled_from(["0.01", "1e-300", "nan", "x"]),
        st.sampled_from(["wake", "[bold", "[/]", "a=b"]),
    ),
    TEXTS,
)
JOURNAL_LINES = st.one_of(
    st.fixed_dictionaries(
        {"MESSAGE": st.one_of(MESSAGES, JUNK)},
        optional={
            "LOGGER": st.sampled_from(["parleyd.turns", "parleyd.turns", "other", None]),
            "_PID": st.sampled_from(["1", "2"]),
            "__REALTIME_TIMESTAMP": st.sampled_from(
                ["1700000000000000", "0", "-1", "9" * 30, "9" * 5000, "x", "٣"]
            ),
        },
    ).map(json.dumps),
    st.builds("2026-11-{}:00:00,000 INFO    parleyd.turns: {}".format, TEXTS, MESSAGES),
    st.builds(
        "{} 10:00:00,000 INFO    parleyd.turns: {}".format,
        st.sampled_from(["2026-11-22", "2026-13-99", "0000-00-00", "٢٠٢٦-11-22"]),
        MESSAGES,
    ),
    st.just("{" * 3000),
    st.just('{"MESSAGE":' + "[" * 5000),
    TEXTS,
)
JOURNALS = st.lists(JOURNAL_LINES, max_size=12).map(
    lambda lines: [line.encode("utf-8", "surrogatepass") for line in lines]
)


def check_journal(lines: list[bytes]) -> None:
    """The turns that can be read, as a table."""
    found = turns(lines, 3)
    assert len(found) <= 3
    from rich.console import Console

    with open("/dev/null", "w") as nowhere:
        Console(file=nowhere).print(table._table(found))


# --- recordings -----------------------------------------------------------------------


def _wav(form: tuple[int, int, int, int, int]) -> bytes:
    """A WAV file whose header says whatever it likes."""
    channels, bits, rate_hz, frames, claimed = form
    sound = np.random.default_rng(1).integers(-3000, 3000, frames * 2).astype("<i2").tobytes()
    block = channels * bits // 8
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", (36 + claimed) % 2**32, b"WAVE", b"fmt ", 16, 1,
        channels, rate_hz, (rate_hz * block) % 2**32, block % 2**16, bits, b"data", claimed,
    )  # fmt: skip
    return head + sound


RECORDINGS = _spoilt(
    st.tuples(
        st.sampled_from([2, 2, 2, 1, 0, 65535]),
        st.sampled_from([16, 16, 16, 8, 0, 24]),
        st.sampled_from([16_000, 48_000, 1, 0, 2**32 - 1, 44_100]),
        st.sampled_from([0, 1, 3200]),
        st.sampled_from([0, 1, 3, 12_800, 2**31, 2**32 - 1]),
    ).map(_wav)
)


def check_recording(data: bytes) -> None:
    """Heard again, or refused with words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        path.write_bytes(data)
        with contextlib.suppress(ParleyError):
            replay(stereo.read(path, 16_000), config.Hearing())


# --- credentials ----------------------------------------------------------------------

CREDENTIALS = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\n", b"sk-1\n", b"\x00"]))


def check_credential(data: bytes) -> None:
    """A key that can stand in a header, none, or one line that names it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "openai_api_key").write_bytes(data)
        try:
            key = config.secret("OPENAI_API_KEY", {"CREDENTIALS_DIRECTORY": folder})
        except ConfigError as error:
            (problem,) = error.problems
            assert problem.startswith("OPENAI_API_KEY: ")
            assert problem.isprintable()
            return
        assert key is None or (key == key.strip() != "" and key.isascii() and key.isprintable())
