"""Files that Parley reads back, after a power cut, a full disk or a user's editor."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from parleyd import config, wav
from parleyd.app.echo_path_file import EchoPathFile
from parleyd.app.turn_recorder import TurnRecorder
from parleyd.cli import turns as table
from parleyd.diagnostics.journal import turns
from parleyd.diagnostics.replay import replay
from parleyd.errors import ConfigError, ParleyError
from parleyd.hearing.echo_path import TAPS, EchoPath
from parleyd.skills.alarms import ClockReading
from parleyd.skills.mute import Mute
from parleyd.skills.store import MUTE_UNKNOWN, Store
from parleyd.skills.timers import Timers, spoken
from parleyd.system import atomic_file
from tests.fuzz.server_text import JUNK, TEXTS

WALL = 1_800_000_000.0

# --- the state of skills --------------------------------------------------------------

TIMES = st.sampled_from([0.0, WALL, WALL + 60, WALL - 60, WALL + 1e6, -1.0, 1e18, 1e308, -1e308])
LOCALS = st.sampled_from(
    ["2027-01-15T09:00", "2027-03-28T02:30", "1970-01-01T00:00", "9999-12-31T23:59", "0001-01-01",
     "2027-01-15T09:00+05:00", "", "x"]
)  # fmt: skip
ALARM = st.fixed_dictionaries(
    {"id": st.integers(-1, 3), "name": TEXTS, "due": TIMES, "timer": st.booleans()},
    optional={
        "seconds": TIMES, "local": LOCALS, "fold": st.integers(0, 2), "any_day": st.booleans(),
        "set_wall": TIMES, "mended_wall": TIMES, "set_steady": TIMES, "boot": st.just("b") | TEXTS,
        "missed": st.booleans(), "rang": st.booleans(),
    },
)  # fmt: skip
KEPT = st.fixed_dictionaries(
    {},
    optional={
        "alarms": st.lists(ALARM, max_size=20), "muted_until": TIMES, "muted_for_s": TIMES,
        "muted_boot": TEXTS, "muted_ends_s": TIMES, "new": JUNK,
        "loudness": st.fixed_dictionaries(
            {"percent": st.integers(-1, 101), "configured": st.integers(0, 100)}
        ),
    },
)  # fmt: skip


@st.composite
def _one_wrong(draw: st.DrawFn) -> object:
    """Draw a valid state with one field missing or of any type."""
    kept = draw(KEPT)
    places = [kept, *kept.get("alarms", ()), kept.get("loudness") or kept]
    place = draw(st.sampled_from([one for one in places if one] or [kept]))
    if place:
        name = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()):
            place[name] = draw(JUNK)
        else:
            del place[name]
    return kept


def _spoilt(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Draw the file unchanged, truncated, with a wrong byte, or with other content."""
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
    _spoilt(st.one_of(KEPT, _one_wrong(), JUNK).map(lambda kept: json.dumps(kept).encode())),
    st.sampled_from(
        [
            b"[" * 5000, b'{"alarms":' + b"[" * 5000, b'{"muted_until": NaN}', b'{"alarms": 1e999}',
            b'{"muted_until":' + b"9" * 5000 + b"}", b"{" + b'"a":{' * 5000, b" " * 400_000,
            b'{"alarms": [' + b'{"id":1},' * 5000 + b"0]}", b"\xef\xbb\xbf{}", b"\0" * 4096,
        ]
    ),
)  # fmt: skip


def check_state(data: bytes) -> None:
    """With any file, timers and the muted microphone work; an invalid file is moved aside."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "skills.json"
        path.write_bytes(data)
        store = Store(path)
        assert Store(path).kept == store.kept
        _use(store)
        store.keep(muted_until=WALL, muted_for_s=0.0)
        assert Store(path).kept.muted_until == WALL


def _use(store: Store) -> None:
    now = ClockReading(WALL, 100.0, "b")
    timers = Timers(store.kept.alarms, lambda: now, lambda alarms: store.keep(alarms=tuple(alarms)))
    for alarm in timers.take_due():
        assert not {unicodedata.category(c) for c in spoken(alarm)} & {"Cc", "Cf", "Cs"}
    timers.list_timers()
    assert asyncio.run(timers.save())
    again = Timers(store.kept.alarms, lambda: now)
    assert again.take_due() is not None
    mute = Mute(until=store.kept.muted_until, apply=lambda closed: None, clock=lambda: now.wall)
    assert mute.muted or store.kept.muted_until != MUTE_UNKNOWN
    mute.look()


# --- the whole folder -----------------------------------------------------------------

ECHO = EchoPath(np.linspace(0, 0.01, TAPS).astype(np.float32), 320.5, 640.0, 1e-5)


def _echo_path_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "echo.npz"
        EchoPathFile(path, config.AudioConfig()).save(ECHO)
        return path.read_bytes()


ODD = ("folder", "full folder", "pipe", "socket", "loop", "dangling", "zero", "sparse", "nothing")
CONTENTS = {
    "skills.json": STATE_FILES,
    "echo.npz": _spoilt(st.just(_echo_path_file())),
    "pid": st.binary(max_size=30) | st.sampled_from([b"1\n", b"-1", b"9" * 40, b"\x1b[31m"]),
    "turns": st.binary(max_size=9),
    "turns/turn-20270115-070000-000000.wav": st.binary(max_size=50),
    "turns/.turn-1.wav.1-1.new": st.binary(max_size=9),
    ".skills.json.999999999-1.new": st.binary(max_size=9),
    "skills.broken": st.binary(max_size=9),
    "openai_api_key": st.binary(max_size=40),
}
FOLDERS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(ODD) | content for name, content in CONTENTS.items()}
)


def check_folder(places: dict[str, str | bytes]) -> None:
    """With anything in the places of its files, the daemon's state starts, works and ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "parley"
        folder.mkdir()
        for place, what in sorted(places.items()):
            _put(folder / place, what)
        with contextlib.suppress(ConfigError):
            config.secret("OPENAI_API_KEY", {"CREDENTIALS_DIRECTORY": str(folder)})
        for _ in range(2):
            _live(folder)


def _live(folder: Path) -> None:
    with atomic_file.held(folder):
        store, echo = (
            Store(folder / "skills.json"),
            EchoPathFile(folder / "echo.npz", config.AudioConfig()),
        )
        _use(store)
        echo.load()
        echo.save(ECHO)
        assert echo.load() is not None
        store.keep(muted_until=WALL + 1, muted_for_s=0.0)
        assert Store(folder / "skills.json").kept.muted_until == WALL + 1
        store.keep(muted_until=0.0)
        recorder = TurnRecorder(folder / "turns", 2, 16_000)
        with contextlib.suppress(OSError):  # there is a file in place of the folder
            assert recorder.save().stat().st_size >= 44
        assert (folder / "turns").is_dir() <= any((folder / "turns").glob("turn-2*"))


def _put(path: Path, what: str | bytes) -> None:
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir(exist_ok=True)
    if not path.parent.is_dir() or path.exists():
        return
    match what:
        case bytes():
            path.write_bytes(what)
        case "folder" | "full folder":
            path.mkdir()
            if what == "full folder":
                (path / "x").mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))
        case "loop" | "dangling" | "zero":
            targets = {"loop": str(path), "dangling": "gone", "zero": "/dev/zero"}
            path.symlink_to(targets[what])
        case "sparse":
            with path.open("wb") as file:
                file.truncate(1 << 40)


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
    """The table shows all readable turns."""
    found = turns(lines, 3)
    assert len(found) <= 3
    from rich.console import Console

    with open("/dev/null", "w") as nowhere:
        Console(file=nowhere).print(table._table(found))


# --- recordings -----------------------------------------------------------------------


def _wav(form: tuple[int, int, int, int, int]) -> bytes:
    """Return a WAV file with arbitrary header fields."""
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
    """A recording is replayed, or refused with a message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        path.write_bytes(data)
        with contextlib.suppress(ParleyError):
            replay(wav.read(path, 16_000), config.HearingConfig())


# --- credentials ----------------------------------------------------------------------

CREDENTIALS = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\n", b"sk-1\n", b"\x00"]))


def check_credential(data: bytes) -> None:
    """A credential is a valid header value, absent, or refused by one line that names it."""
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
