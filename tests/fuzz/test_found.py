"""Minimal inputs that fuzzing found: one test for each bug."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from parleyd import config, wav
from parleyd.cli.turns import _table
from parleyd.diagnostics.journal import turns
from parleyd.errors import ConfigError, ParleyError
from parleyd.playback.playout import Playout
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.function_calls import FunctionCalls
from parleyd.realtime.history import KEPT_CHARS, History
from parleyd.realtime.server_errors import ErrorAction, classify_error
from parleyd.skills.store import MUTE_UNKNOWN, Store
from parleyd.units import Frames
from tests.fuzz.conversation import World
from tests.fuzz.sizes import size_of

MOST_OPEN = 32

KEPT_PARTS = 64
MOST_SEGMENTS = 1024

DEEP = "[" * 5000 + "]" * 5000


def one_frame() -> Frames:
    return np.ones(1, np.int16)


# --- server events --------------------------------------------------------------------


def test_event_with_deep_brackets_does_not_crash() -> None:
    """Python 3.13 decodes them; 3.11 has a limit and rejects the event. Both are fine."""
    event = f'{{"type": "session.created", "session": {{"x": {DEEP}}}}}'
    assert isinstance(ev.decode_server(event), ev.Malformed | ev.SessionCreated)
    assert isinstance(ev.decode_client(event), ev.Malformed | ev.Unknown)


def test_unreadable_function_arguments_become_none() -> None:
    item = {"type": "function_call", "status": "completed", "call_id": "c", "name": "x"}
    (called,) = FunctionCalls().take(item | {"arguments": DEEP})
    assert called.arguments == {}


def test_truncation_error_with_huge_number_is_handled() -> None:
    text = f"Audio content of {'9' * 5000}ms is already shorter than 9ms"
    assert classify_error(ev.ErrorDetail(message=text)).action is ErrorAction.CLIENT_ERROR


def test_half_frames_of_endless_items_are_dropped() -> None:
    world = World("openai", "server_vad", hears=False)
    for op in [("greet", None), ("button", None), ("turn", None), ("answer", 1)]:
        world.do(op)
    before, _ = size_of(world.speaker)
    part = {"response_id": "a1", "item_id": "i1", "delta": "AQ=="}
    world.flood({"type": "response.output_audio.delta", **part})
    after, _ = size_of(world.speaker)
    assert after - before < 100


def test_endless_function_calls_are_refused() -> None:
    calls = FunctionCalls()
    item = {"type": "function_call", "status": "completed", "name": "x"}
    taken = [calls.take(item | {"call_id": str(number)}) for number in range(1000)]
    assert len([call for call in taken if call]) == MOST_OPEN


def test_transcript_in_endless_items_is_cut() -> None:
    history = History()
    for number in range(10_000):
        history.assistant(str(number), "word ")
    (item,) = history.items()
    assert len(item["content"][0]["text"]) <= KEPT_CHARS


def test_excess_reply_parts_are_refused_and_waiting_ones_kept() -> None:
    playout = Playout(24_000, 1.0)
    taken = [playout.append(str(number), 0, one_frame()) for number in range(KEPT_PARTS + 9)]
    assert sum(taken) == KEPT_PARTS
    assert len(playout.discard(0)) == KEPT_PARTS
    assert playout.append("next", 0, one_frame()) == 1


def test_endlessly_alternating_parts_are_refused() -> None:
    playout = Playout(24_000, 1.0)
    taken = [playout.append(str(number % 2), 0, one_frame()) for number in range(5000)]
    assert sum(taken) == MOST_SEGMENTS


@pytest.mark.parametrize("ends", ["1" + "0" * 400, "-5", "1e300"])
def test_session_expiry_out_of_range_is_ignored(ends: str) -> None:
    told: list[object] = []
    connection = RealtimeConnection(ServerAddress("ws://nas/v1"), told.append)
    connection._receive(f'{{"type": "session.created", "session": {{"expires_at": {ends}}}}}')
    assert len(told) == 1


# --- configuration --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"a = {'[' * 5000}", "is not valid TOML"),
        (f"[audio]\nvolume = {'9' * 5000}", "is not valid TOML"),
        ('[realtime]\nserver = "openai"\nurl = "wss://[::1"', "realtime.url"),
        ('[realtime]\nserver = "compatible"\nurl = "wss://[::1"', "realtime.url"),
        ('[realtime]\nserver = "compatible"\nurl = "ws://nas:99999"', "realtime.url"),
        ('[realtime]\nserver = "compatible"\nurl = "ws://a..b"', "realtime.url"),
        ('[realtime]\nserver = "compatible"\nurl = "ws://"', "realtime.url"),
    ],
)
def test_broken_configuration_is_refused_with_a_reason(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    assert told in caught.value.problems[0]


# --- state files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b'{"alarms": ' + b"[" * 5000, []),
        (b'{"alarms": [{"id": 1, "name": "tea", "due": 325e9, "timer": false}]}', []),
        (b'{"alarms": [{"id": 1, "name": "\x80", "due": 1.0, "timer": false}]}', [""]),
    ],
)
def test_damaged_state_file_is_moved_aside_and_mutes(
    tmp_path: Path, data: bytes, left: list[str]
) -> None:
    path = tmp_path / "skills.json"
    path.write_bytes(data)
    kept = Store(path).kept
    assert [alarm.name for alarm in kept.alarms] == left
    assert kept.muted_until == MUTE_UNKNOWN
    assert Store(path).kept == kept
    assert path.with_suffix(".broken").read_bytes() == data


@pytest.mark.parametrize(
    "line",
    [
        "2026-13-99 10:00:00,000 INFO    parleyd.turns: turn turn=1",
        "2026-11-22 10:00:00,000 INFO    parleyd.turns: turn turn=nan",
        "2026-11-22 10:00:00,000 INFO    parleyd.turns: turn turn=inf",
        '{"MESSAGE": ' + "[" * 5000,
    ],
)
def test_unreadable_log_line_is_skipped(line: str) -> None:
    good = "2026-11-22 10:00:00,000 INFO    parleyd.turns: turn turn=1 heard_ms=310"
    assert [turn.fields["turn"] for turn in turns([line, good], 5)] == [1]


def test_cause_with_markup_is_shown_verbatim(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = b"2026-11-22 10:00:00,000 INFO    parleyd.turns: turn turn=1 begun_by=[/]"
    Console(width=200).print(_table(turns([line], 5)))
    assert "[/]" in capsys.readouterr().out


def made(rate_hz: int, data: bytes) -> bytes:
    size = len(data).to_bytes(4, "little")
    rate = rate_hz.to_bytes(4, "little")
    form = b"\x01\0\x02\0" + rate + rate + b"\x04\0\x10\0"
    return b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0" + form + b"data" + size + data


def test_recording_that_ends_within_a_frame_is_replayed_to_it(tmp_path: Path) -> None:
    path = tmp_path / "turn.wav"
    path.write_bytes(made(16_000, bytes(9)))
    assert len(wav.read(path, 16_000).microphone) == 2


@pytest.mark.parametrize("data", [made(1, bytes(400)), b"RIFF\0\0\0\x01WAVE" + bytes(19) + b"\x01"])
def test_recording_with_wrong_header_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "turn.wav"
    path.write_bytes(data)
    with pytest.raises(ParleyError, match="expected"):
        wav.read(path, 16_000)
