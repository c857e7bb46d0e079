"""Run the checks of `parley doctor` in child processes, each one with a deadline.

alsa-lib holds the interpreter's lock while it waits for a sound server, and a model may crash a
native library. A child can be ended in both cases, and the other checks continue.
"""

import contextlib
import logging
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

import msgspec

from parleyd.diagnostics.findings import Finding
from parleyd.system.parent_death import die_with_parent

PIPE_BYTES = 1 << 16
REPORT = "run `parley doctor` again; if it happens again, report it with this output"


@dataclass(slots=True)
class LimitedCheck:
    """A check that runs in a child process. Its parent reads the findings as they come."""

    failure: Finding
    """The line for a check that does not end in time or crashes; its text is filled in."""
    allowed_s: float
    """From the beginning."""
    _pid: int = -1
    _pipe: int = -1
    _ends: float = 0.0
    _rest: bytes = field(default=b"", repr=False)
    _whole: bool = False

    @classmethod
    def begin(
        cls, failure: Finding, allowed_s: float, check: Callable[[], Iterable[Finding]]
    ) -> "LimitedCheck":
        """Start the check. The caller must read `findings` to its end."""
        begun = cls(failure, allowed_s)
        begun._pipe, out = os.pipe()
        parent = os.getpid()
        begun._pid = os.fork()
        if begun._pid == 0:
            _child(check, out, parent)
        os.close(out)
        begun._ends = time.monotonic() + allowed_s
        return begun

    def findings(self) -> Iterator[Finding]:
        """Yield the findings of the child, and one more if it hangs, fails or crashes."""
        try:
            while (data := self._receive()) is not None:
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    yield from self._told(line)
                if self._whole or not data:  # a process that the check has left may hold the pipe
                    yield from self._end()
                    return
        finally:
            self._close()
        yield self._failed(f"the check does not end within {self.allowed_s:g} s")

    def _failed(self, text: str) -> Finding:
        return replace(self.failure, text=text, remedy=self.failure.remedy or REPORT)

    def _told(self, line: bytes) -> Iterator[Finding]:
        """A line of the child: a finding, the traceback of its error, or its end."""
        match msgspec.json.decode(line, type=Finding | str | None):
            case Finding() as finding:
                yield finding
            case str() as trace:
                print(trace, file=sys.stderr)
            case None:
                self._whole = True

    def _receive(self) -> bytes | None:
        """The next bytes, b"" at the end of the child, or None at the deadline."""
        left_s = max(0.0, self._ends - time.monotonic())
        ready, _, _ = select.select([self._pipe], [], [], left_s)
        return os.read(self._pipe, PIPE_BYTES) if ready else None

    def _end(self) -> Iterator[Finding]:
        _, status = os.waitpid(self._pid, 0)
        self._pid = -1
        if os.WIFSIGNALED(status):
            yield self._failed(f"the check crashed ({signal.Signals(os.WTERMSIG(status)).name})")
        elif status or not self._whole:
            yield self._failed("the check has an internal error")

    def _close(self) -> None:
        os.close(self._pipe)
        if self._pid > 0:
            with contextlib.suppress(OSError):
                os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, os.WNOHANG)  # one that blocks in the kernel is left alone


def _detach() -> None:
    """Leave the caller's input and output: a skill may print, and its processes may outlive us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdout = sys.stderr = open(nothing, "w", encoding="utf-8")  # noqa: SIM115, until the end


def _child(check: Callable[[], Iterable[Finding]], out: int, parent: int) -> NoReturn:
    """Write the findings as lines of JSON; never returns."""
    status = 0
    try:
        os.setpgid(0, 0)
        die_with_parent()
        _detach()
        logging.disable()  # the findings say it, and lines of the log would stand between them
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)
        for finding in check():
            os.write(out, msgspec.json.encode(finding) + b"\n")
        os.write(
            out, b"null\n"
        )  # a check that ends elsewhere, as by a skill's os._exit, is not whole
    except BaseException:  # the rim of the child: nothing may return to the parent's code
        status = 1
        with contextlib.suppress(BaseException):
            os.write(out, msgspec.json.encode(traceback.format_exc()) + b"\n")
    finally:
        os._exit(status)
