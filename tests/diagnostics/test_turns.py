"""`parley turns`: the log of a real conversation, read back and shown as a table."""

import grp
import io
import json
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from parleyd.app.effect_log import write_log_event
from parleyd.cli.main import parley
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.diagnostics.journal import turns
from parleyd.host.systemd import FieldsFormatter
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from tests.paper_server import Paper, settings

pytestmark = pytest.mark.slow

USAGE = {"input_tokens": 100, "output_tokens": 40, "input_token_details": {"cached_tokens": 64}}


class Telling(Paper):
    """A scripted server that reports the usage of each response."""

    def say(self, event: object) -> None:
        if isinstance(event, ev.ResponseDone):
            event.response.usage = USAGE
        super().say(event)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def log() -> Iterator[str]:
    """The log lines of three turns on a terminal; the second turn is interrupted."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(FieldsFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logger = logging.getLogger("parleyd.turns")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    paper = Telling(settings())
    for words in ("What is the weather like?", "And tomorrow?"):
        paper.say(ButtonPressed())
        paper.run(0.2)
        paper.talker.say(synthesize(words, "slt"))
        paper.until(State.SPEAKING)
        if words == "And tomorrow?":
            paper.run(0.6)
            paper.talker.say(synthesize("No wait, tell me about the rain.", "rms"))
            paper.until(State.THINKING)
        paper.until(State.IDLE)
    for name in ("usage", "turn", "state"):
        for log_event in paper.log_events(name):
            write_log_event(log_event)
    yield "".join(in_time(written.getvalue(), paper))
    logger.removeHandler(handler)


def in_time(written: str, paper: Paper) -> list[str]:
    """Return the lines in the daemon's order: usage before its turn."""
    lines = written.splitlines(keepends=True)
    number = re.compile(r"\bturn=(\d+)")
    keyed = [(int(m[1]) if (m := number.search(line)) else 0, line) for line in lines]
    return [line for _, line in sorted(keyed, key=lambda pair: pair[0])]


def table(*arguments: str, text: str = "") -> list[list[str]]:
    ran = CliRunner().invoke(parley, ["turns", *arguments], input=text, catch_exceptions=False)
    assert ran.exit_code == 0
    rows = [line.strip("│┃ \n") for line in ran.output.splitlines() if "│" in line or "┃" in line]
    return [[cell.strip() for cell in re.split("[│┃]", row)] for row in rows]


def test_turns_shows_each_turn_and_percentiles(log: str) -> None:
    rows = table("-", text=log)
    assert [row[1] for row in rows[1:4]] == ["button", "button", "interrupt"]
    assert [row[0] for row in rows[4:]] == ["p50", "p90", "p99"]
    column = {name: [row[i] for row in rows] for i, name in enumerate(rows[0])}
    heard = [int(cell) for cell in column["heard"][1:4]]
    assert heard[0] == heard[2] == 3000
    assert 400 < heard[1] < 1500
    assert column["heard"][4] == "3000"  # the median
    assert column["interrupt"][1] == column["interrupt"][3] == ""
    assert 0 < int(column["hold"][2]) <= int(column["interrupt"][2])
    assert column["tokens in"][1:4] == ["100", "100", "100"]
    assert column["cached"][1] == "64"
    assert int(column["listened"][1]) > 1000
    assert 380 < int(column["endpoint"][1]) < 600  # the pause of 400 ms plus one or two chunks
    assert "cost" not in column


def test_turn_line_has_every_stage_and_the_usage(log: str) -> None:
    lines = [line for line in log.splitlines() if "parleyd.turns: turn " in line]
    first = dict(pair.split("=") for pair in lines[0].split("turn ", 1)[1].split())
    assert set(first) == {
        "turn", "begun_by", "listened_ms", "endpoint_ms", "first_delta_ms", "first_frame_ms",
        "heard_ms", "interrupted", "onset_to_hold_ms", "onset_to_interrupt_ms",
        "false_interruptions", "input_tokens", "output_tokens", "cached_tokens",
    }  # fmt: skip
    assert (first["input_tokens"], first["output_tokens"]) == ("100", "40")


def test_turns_n_shows_only_the_newest(log: str) -> None:
    rows = table("-n", "1", "-", text=log)
    assert len(rows) == 1 + 1 + 3
    assert rows[1][1] == "interrupt"


def entry(message: str, pid: str = "7", logger: str = "parleyd.turns") -> str:
    entry = {
        "MESSAGE": message, "LOGGER": logger, "_PID": pid,
        "__REALTIME_TIMESTAMP": "1800000000000000",
    }  # fmt: skip
    return json.dumps(entry) + "\n"


def test_turns_as_json_have_all_fields(log: str) -> None:
    shown = CliRunner().invoke(parley, ["turns", "--json", "-"], input=log)
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.output)["turns"]
    assert len(rows) == 3
    assert rows[1]["onset_to_interrupt_ms"] > 0
    assert all(row["cached_tokens"] == 64 for row in rows)
    assert json.loads(CliRunner().invoke(parley, ["turns", "--json", "-"], input="").output) == {
        "turns": []
    }


def test_turns_are_joined_by_process_with_late_usage() -> None:
    lines = [
        entry("usage turn=1 input_tokens=10 output_tokens=5"),
        entry("usage turn=1 input_tokens=30 output_tokens=5 cost=0.0021"),  # after a function call
        entry("turn turn=1 begun_by=button heard_ms=310 first_delta_ms=None interrupted=True"),
        entry("usage turn=1 input_tokens=2"),  # of the interrupted reply
        entry("turn turn=1 begun_by=button heard_ms=99", pid="8"),
        entry("turn turn=2 heard_ms=1", logger="somebody.else"),
        entry("state before=idle after=listening"),
        entry("turn turn=1 heard_ms=7"),  # after a reload
        '{"MESSAGE": [1, 2, 3], "LOGGER": "parleyd.turns"}\n',
        "{broken\n",
    ]
    found = turns(lines, 10)
    assert [turn.number("heard_ms") for turn in found] == [310, 99, 7]
    assert found[0].usage == {"input_tokens": 42, "output_tokens": 10, "cost": 0.0021}
    assert found[0].number("first_delta_ms") is None
    assert found[0].number("interrupted") is None
    assert found[1].usage == found[2].usage == {}


@given(st.lists(st.one_of(st.text(), st.binary()), max_size=8))
def test_turns_of_any_file_do_not_raise(lines: list[str | bytes]) -> None:
    assert turns(lines, 3) == []


def fake_journalctl(folder: Path, script: str) -> dict[str, str]:
    path = folder / "journalctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def parley_turns(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "parleyd", "turns", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_turns_reads_the_daemons_entries_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "entries").write_text(entry("turn turn=1 begun_by=button heard_ms=310"))
    script = f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/entries'
    ran = parley_turns(fake_journalctl(tmp_path, script), "--since", "today")
    assert ran.returncode == 0
    assert "310" in ran.stdout
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:4] == ["--unit", "parleyd", "--since", "today"]
    assert "LOGGER=parleyd.turns" in asked


def test_turns_with_an_unreadable_journal_prints_a_remedy(tmp_path: Path) -> None:
    environ = fake_journalctl(tmp_path, "echo 'No journal files were opened' >&2; exit 1")
    ran = parley_turns(environ)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert "No journal files were opened" in line
    assert "systemd-journal" in line


def test_turns_of_an_empty_log_says_so() -> None:
    ran = CliRunner().invoke(parley, ["turns", "-"], input="")
    assert "No turns" in ran.output


@pytest.mark.parametrize(
    ("user", "group", "sees"),
    [
        (0, "root", True),
        (1000, "adm", True),
        (1000, "systemd-journal", True),
        (1000, "users", False),
    ],
)
def test_user_who_does_not_see_the_journal_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, group: str, *, sees: bool
) -> None:
    monkeypatch.setenv("PATH", fake_journalctl(tmp_path, "true")["PATH"])
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("os.getegid", lambda: 1000)
    monkeypatch.setattr("os.getgroups", lambda: [grp.getgrnam(group).gr_gid])
    ran = CliRunner().invoke(parley, ["turns"])
    assert "No turns" in ran.output
    assert ("sudo parley turns" not in ran.output) == sees
