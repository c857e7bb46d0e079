"""Hooks: real programs, one of each kind at once, bounded in time, without keys."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import select
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from parleyd import config
from parleyd.app import hooks
from parleyd.app.hooks import Hooks, obstacles
from parleyd.config import HooksConfig
from parleyd.core.events import Effect, LogEvent, Show
from parleyd.core.states import Indication
from parleyd.errors import ConfigError

WITHIN_S = 30.0
LISTENING = Show(Indication.LISTENING)


def program(folder: Path, script: str) -> tuple[str, ...]:
    """A shell script as a hook's command."""
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return (str(path),)


def serve(settings: HooksConfig, body: Callable[[Hooks], Awaitable[None]]) -> None:
    """Run the hooks while `body` runs."""

    async def both() -> None:
        served = Hooks(settings)
        running = asyncio.create_task(served.run())
        try:
            async with asyncio.timeout(WITHIN_S):
                await body(served)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


class Said:
    """A named pipe through which programs report lines; opening it never waits."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._read = b""

    async def line(self) -> str:
        while b"\n" not in self._read:
            await self._more()
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        os.close(self._file)

    async def _more(self) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._file, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._file)
        self._read += os.read(self._file, 65_536)

    def __str__(self) -> str:
        return str(self.path)


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Said]:
    pipe = Said(tmp_path / "said")
    yield pipe
    pipe.close()


class LoggedLines(logging.Handler):
    """Waits for a line of the log, on the event loop."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage() and not self._found.done():
            self._found.set_result(record.getMessage())

    async def line(self) -> str:
        return await self._found


@contextlib.contextmanager
def logged(text: str) -> Iterator[LoggedLines]:
    handler = LoggedLines(text)
    hooks.log.addHandler(handler)
    try:
        yield handler
    finally:
        hooks.log.removeHandler(handler)


@pytest.mark.parametrize(
    ("kind", "effect", "variables", "event"),
    [
        (
            "state",
            Show(Indication.ERROR, "no card; $(reboot)\0"),
            {
                "PARLEY_EVENT": "state",
                "PARLEY_STATE": "error",
                "PARLEY_DETAIL": "no card; $(reboot)",
            },
            {"type": "state", "indication": "error", "detail": "no card; $(reboot)\0"},
        ),
        (
            "wake",
            LogEvent("wake", {"keyword": "alexa", "state": "idle"}),
            {"PARLEY_EVENT": "wake", "PARLEY_KEYWORD": "alexa", "PARLEY_STATE": "idle"},
            {"type": "log", "name": "wake", "fields": {"keyword": "alexa", "state": "idle"}},
        ),
        (
            "interruption",
            LogEvent("interrupted", {"heard_ms": 1230, "items": None}),
            {"PARLEY_EVENT": "interruption", "PARLEY_HEARD_MS": "1230", "PARLEY_ITEMS": ""},
            {"type": "log", "name": "interrupted", "fields": {"heard_ms": 1230, "items": None}},
        ),
        (
            "alarm",
            LogEvent("alarm_due", {}),
            {"PARLEY_EVENT": "alarm"},
            {"type": "log", "name": "alarm_due", "fields": {}},
        ),
    ],
)
def test_a_program_gets_its_event_and_no_key(
    tmp_path: Path,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    effect: Effect,
    variables: dict[str, str],
    event: object,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/parleyd")
    command = program(
        tmp_path, f'printf \'%s %s %s\\n\' "$(cat)" "$(env -0 | base64 -w0)" $1 >{said}'
    )

    async def body(served: Hooks) -> None:
        served.observe([Show(Indication.IDLE) if kind != "state" else effect, effect])
        line, environ, argument = (await said.line()).rsplit(" ", 2)
        assert json.loads(line) == event
        assert argument == "one"
        got = dict(
            pair.split("=", 1) for pair in base64.b64decode(environ).decode().split("\0")[:-1]
        )
        assert {name: got[name] for name in got if name.startswith("PARLEY_")} == variables
        assert not {"OPENAI_API_KEY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"} & set(got)

    serve(config.parse(f"[hooks]\n{kind} = {[*command, 'one']}\n").hooks, body)


def test_one_runs_at_once_and_the_newest_event_follows(tmp_path: Path, said: Said) -> None:
    gate, finished = tmp_path / "gate", tmp_path / "finished"
    os.mkfifo(gate)
    command = program(
        tmp_path, f"echo $PARLEY_STATE >{said}; read go <{gate}; echo $PARLEY_STATE >>{finished}"
    )

    async def body(served: Hooks) -> None:
        served.observe([LISTENING])
        assert await said.line() == "listening"
        for indication in (Indication.THINKING, Indication.SPEAKING, Indication.IDLE):
            served.observe([Show(indication)])
        await asyncio.to_thread(gate.write_text, "go\n")
        assert await said.line() == "idle"
        assert finished.read_text() == "listening\n"

    serve(HooksConfig(state=command), body)


def test_a_kind_does_not_wait_for_another(tmp_path: Path, said: Said) -> None:
    blocked = tmp_path / "blocked"
    os.mkfifo(blocked)
    command = program(
        tmp_path,
        f"[ $PARLEY_EVENT = wake ] && {{ read never <{blocked}; }}; echo $PARLEY_EVENT >{said}",
    )

    async def body(served: Hooks) -> None:
        served.observe([LogEvent("wake", {"keyword": "alexa"}), LogEvent("alarm_due", {})])
        assert await said.line() == "alarm"

    serve(HooksConfig(wake=command, alarm=command), body)


@pytest.mark.parametrize("ending", ["time limit", "the daemon's end"])
def test_nothing_of_a_program_outlives_its_end(
    tmp_path: Path,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ending: str,
) -> None:
    monkeypatch.setattr(hooks, "GRACE_S", 0.05)
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    script = (
        f"trap '' TERM; sh -c \"trap '' TERM; exec 3<{alive}; echo $$ >{said}; read x <&3\" & wait"
    )
    command = program(tmp_path, script)
    reading, writing = (os.open(alive, os.O_RDWR), os.open(alive, os.O_WRONLY))
    unread = select.poll()
    unread.register(writing, 0)
    limit = 0.2 if ending == "time limit" else 300.0

    async def body(served: Hooks) -> None:
        served.observe([LISTENING])
        await said.line()
        os.close(reading)
        if ending == "time limit":  # the next one begins after the end of this one
            served.observe([LISTENING])
            await said.line()

    serve(HooksConfig(state=command, time_limit_s=limit), body)
    assert unread.poll(WITHIN_S * 1000) == [(writing, select.POLLERR)]  # its last reader has gone
    os.close(writing)
    assert ("the hook state took over 0.2 s" in caplog.text) == (ending == "time limit")


def test_a_failure_is_told_in_one_printable_line(tmp_path: Path, said: Said) -> None:
    noise = "head -c 300000 /dev/zero | tr '\\0' x >&2; printf 'no\\033[2J lamp\\n' >&2"
    command = program(tmp_path, f"[ $PARLEY_STATE = idle ] && echo again >{said}; {noise}; exit 3")

    async def body(served: Hooks) -> None:
        with logged("exit status 3") as failure:
            served.observe([LISTENING])
            line = await failure.line()
        assert "\x1b" not in line
        assert len(line) < 300
        served.observe([Show(Indication.IDLE)])
        assert await said.line() == "again"

    serve(HooksConfig(state=command), body)


def test_a_program_that_vanishes_is_told(tmp_path: Path) -> None:
    command = program(tmp_path, "true")

    async def body(served: Hooks) -> None:
        os.unlink(command[0])
        with logged("the hook state did not start") as failure:
            served.observe([LISTENING])
            await failure.line()

    serve(HooksConfig(state=command), body)


@pytest.mark.parametrize("how", ["writable", "folder writable", "replaced"])
def test_a_program_that_others_can_change_by_now_is_not_run(
    tmp_path: Path, said: Said, how: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    command = program(folder, f"echo ran >{said}")

    async def body(served: Hooks) -> None:
        spoil(Path(command[0]), how)
        with logged("the hook state did not start") as refusal:
            served.observe([LISTENING])
            assert "everybody can write" in await refusal.line()
        os.chmod(command[0], 0o755)  # follows the link
        folder.chmod(0o755)
        served.observe([LISTENING])
        assert await said.line() == "ran"

    serve(HooksConfig(state=command), body)


def test_a_flood_of_complaints_is_read_slowly(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    read = os.read

    def counted(descriptor: int, most: int) -> bytes:
        sizes.append(most)
        return read(descriptor, most)

    monkeypatch.setattr(os, "read", counted)
    monkeypatch.setattr(hooks, "PIPE_BYTES", 65_535)  # to know its reads
    monkeypatch.setattr(hooks, "READ_AGAIN_S", 300.0)
    command = program(tmp_path, f"echo begun >{said}; exec head -c 1000000 /dev/zero >&2")

    async def body(served: Hooks) -> None:
        with logged("the hook state took over") as ended:
            served.observe([LISTENING])
            assert await said.line() == "begun"
            await ended.line()
        assert sizes.count(65_535) == 1

    serve(HooksConfig(state=command, time_limit_s=1.0), body)


def test_events_without_hooks_begin_nothing() -> None:
    served = Hooks(HooksConfig())
    served.observe([LISTENING, LogEvent("wake", {"keyword": "alexa"})])


def spoil(path: Path, how: str) -> None:
    match how:
        case "absent":
            path.unlink()
        case "plain":
            path.chmod(0o644)
        case "writable":
            path.chmod(0o777)
        case "folder writable":
            path.parent.chmod(path.parent.stat().st_mode | stat.S_IWOTH)
        case "folder":
            path.unlink()
            path.mkdir()
        case "replaced":
            foreign = path.with_name("foreign")
            path.rename(foreign)
            foreign.chmod(0o777)
            path.symlink_to(foreign)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("absent", "cannot be run (No such file or directory)"),
        ("plain", "is not executable (chmod 755)"),
        ("writable", "cannot be trusted: everybody can write"),
        ("folder writable", "cannot be trusted: everybody can write"),
        ("folder", "is no file"),
    ],
)
def test_a_program_that_cannot_be_used_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, why: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    command = program(folder, "true")
    spoil(Path(command[0]), how)
    problem = obstacles(HooksConfig(wake=command))["wake"]
    assert problem.startswith(f"hooks.wake: {command[0]} {why}")
    Hooks(HooksConfig(wake=command)).observe([LogEvent("wake", {})])
    assert problem in caplog.text


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('wake = "lamp"', 'hooks.wake: "lamp" is not allowed|hooks.wake: .lamp. '),
        ('wake = ["lamp", "on"]', "hooks.wake: 'lamp' is no path from the root"),
        ('wake = [""]', "hooks.wake: '' is no path from the root"),
        ("alarm = [1]", "hooks.alarm: "),
        ('state = ["/bin/true", "a\\u0000b"]', "hooks.state: "),
        ("time_limit_s = 0", "hooks.time_limit_s: 0 "),
        ('speak = ["/bin/true"]', "hooks.speak: is unknown"),
    ],
)
def test_an_odd_command_is_named(toml: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config.parse(f"[hooks]\n{toml}\n")
