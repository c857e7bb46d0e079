"""Programs of the owner, run at events of the speaker: the section `[hooks]`."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from parleyd import config
from parleyd.control.replies import AnyEvent, Fields, Logged, StateChanged, encode, plain_fields
from parleyd.core.events import Effect, LogEvent, Show
from parleyd.printable import printable
from parleyd.skills import trust
from parleyd.skills.trust import Untrusted
from parleyd.system.child_environment import child_environment

_KINDS: Mapping[str, str] = {"wake": "wake", "alarm_due": "alarm", "interrupted": "interruption"}
"""The kind of hook for each log event."""
GRACE_S = 1.0
"""Between SIGTERM and SIGKILL for a program that takes too long."""
TAIL_BYTES = 200  # of its standard error
PIPE_BYTES = 1 << 16  # the most that a pipe holds
READ_AGAIN_S = 0.05  # a program that floods its standard error waits, and the daemon works

log = logging.getLogger(__name__)


class _Occurrence(NamedTuple):
    """One event: the line of the control socket, and the same for a shell."""

    line: bytes
    variables: dict[str, str]


class Hooks:
    """Runs at most one program of each kind at once; on the event loop.

    Of the events that come meanwhile, the newest is run afterwards and the others are dropped: so
    the last state always arrives.
    """

    def __init__(self, settings: config.HooksConfig) -> None:
        """Reads the programs' files, and logs the hooks that cannot be used."""
        problems = obstacles(settings)
        for problem in problems.values():
            log.warning("%s", problem)
        self._hooks = {
            kind: _Hook(kind, command, settings.time_limit_s)
            for kind, command in _commands(settings)
            if kind not in problems
        }

    def observe(self, effects: Sequence[Effect]) -> None:
        """Begin the programs for these effects; returns at once."""
        for effect in effects if self._hooks else ():
            kind = _kind(effect)
            if (hook := self._hooks.get(kind)) is not None:
                hook.occurred(_occurrence(kind, effect))

    async def run(self) -> None:
        """Run programs until cancelled; then those that still run are killed."""
        async with asyncio.TaskGroup() as group:  # gather would not wait for the ends of all
            for hook in self._hooks.values():
                group.create_task(hook.run())


def obstacles(settings: config.HooksConfig) -> dict[str, str]:
    """The hooks whose program cannot be used, each with the problem. Reads files."""
    found = {}
    for kind, (program, *_) in _commands(settings):
        if program.startswith("/") and (why := _obstacle(Path(program))):
            found[kind] = (
                f"hooks.{kind}: {printable(program)} {printable(why)}, allowed is a program that "
                "the service can run, and that only root can change"
            )
    return found


def _obstacle(program: Path) -> str:
    try:
        trust.check(program)
    except Untrusted as error:
        return f"cannot be trusted: {error}"
    except OSError as error:
        return f"cannot be run ({error.strerror or error})"
    if not program.is_file():
        return "is no file"
    return "" if os.access(program, os.X_OK) else "is not executable (chmod 755)"


def _commands(settings: config.HooksConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in ("state", *_KINDS.values()):
        if command := getattr(settings, kind):
            yield kind, command


def _kind(effect: Effect) -> str:
    if isinstance(effect, Show):
        return "state"
    return _KINDS.get(effect.name, "") if isinstance(effect, LogEvent) else ""


def _occurrence(kind: str, effect: Effect) -> _Occurrence:
    event: AnyEvent
    fields: Fields
    if isinstance(effect, Show):
        fields = {"state": str(effect.indication), "detail": effect.detail}
        event = StateChanged(indication=str(effect.indication), detail=effect.detail)
    else:
        assert isinstance(effect, LogEvent)
        fields = plain_fields(effect.fields)
        event = Logged(name=effect.name, fields=fields)
    variables = {f"PARLEY_{name.upper()}": _text(value) for name, value in fields.items()}
    return _Occurrence(encode(event), {"PARLEY_EVENT": kind, **variables})


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("\0", "")


class _Hook:
    """One program, and the newest event that waits for it."""

    def __init__(self, kind: str, command: Sequence[str], time_limit_s: float) -> None:
        self._kind, self._command, self._time_limit_s = kind, command, time_limit_s
        self._waiting: _Occurrence | None = None
        self._woken = asyncio.Event()

    def occurred(self, occurrence: _Occurrence) -> None:
        self._waiting = occurrence
        self._woken.set()

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            if (occurrence := self._waiting) is not None:
                self._waiting = None
                await self._execute(occurrence)

    async def _execute(self, occurrence: _Occurrence) -> None:
        with _given(occurrence.line) as line, _Complaint() as complaint:
            process = self._begin(occurrence.variables, line, complaint.descriptor)
            if process is None:
                return
            try:
                await self._wait(process, complaint)
            finally:
                _signal_group(process, signal.SIGKILL)
                await _ended(process, GRACE_S)

    def _begin(
        self, variables: dict[str, str], given: int, complaint: int
    ) -> "subprocess.Popen[bytes] | None":
        """Takes under a millisecond; asyncio would begin it in the same way.

        Somebody may have changed the file since the last event.
        """
        if why := _obstacle(Path(self._command[0])):
            log.warning("the hook %s did not start: its program %s", self._kind, printable(why))
            return None
        try:
            return subprocess.Popen(
                self._command,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                env=child_environment(os.environ, **variables),
                cwd="/",
                start_new_session=True,  # a group of its own, so that its children end with it
            )
        except (OSError, ValueError) as error:
            log.warning("the hook %s did not start: %s", self._kind, error)
            return None

    async def _wait(self, process: "subprocess.Popen[bytes]", complaint: "_Complaint") -> None:
        if not await _ended(process, self._time_limit_s):
            log.warning("the hook %s took over %g s: ended", self._kind, self._time_limit_s)
            _signal_group(process, signal.SIGTERM)
            await _ended(process, GRACE_S)
        elif process.returncode != 0:
            words = printable(complaint.last_words(), 200)
            status = process.returncode
            log.warning("the hook %s failed, exit status %d: %s", self._kind, status, words)


async def _ended(process: "subprocess.Popen[bytes]", within_s: float) -> bool:
    """Wait for the end of a program; return whether it came in time."""
    if process.poll() is not None:
        return True
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(within_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.poll() is not None


@contextlib.contextmanager
def _given(line: bytes) -> Iterator[int]:
    """A descriptor from which a program can read a line; nobody has to write to it."""
    descriptor = os.memfd_create("hook")
    try:
        os.write(descriptor, line)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class _Complaint:
    """What a program writes to its standard error: only its end is kept."""

    def __enter__(self) -> "_Complaint":
        self._tail = b""
        self._from, self.descriptor = os.pipe()
        os.set_blocking(self._from, False)
        self._read_again()
        return self

    def __exit__(self, *exception: object) -> None:
        self._next.cancel()
        os.close(self._from)
        os.close(self.descriptor)

    def last_words(self) -> str:
        """The end of the text; a child that keeps standard error open is not waited for."""
        self._read()
        return self._tail.decode("utf-8", "replace").strip()

    def _read_again(self) -> None:
        self._read()
        self._next = asyncio.get_running_loop().call_later(READ_AGAIN_S, self._read_again)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._tail = (self._tail + os.read(self._from, PIPE_BYTES))[-TAIL_BYTES:]


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Also to what a program has left running, which would gather otherwise."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
