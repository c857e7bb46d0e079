"""A command of `parley` in a pseudo-terminal, whose settings can be compared."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from types import TracebackType
from typing import Any, Self

WITHIN_S = 60.0  # generous: Python starts slowly on a loaded machine
POLL_S = 0.05
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[0m\x1b[?25h\x1b[?1049l"


class WatchedTerminal:
    """A terminal with the command in it; a context manager."""

    def __init__(
        self,
        *command: str,
        term: str = "xterm-256color",
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        """The command is `parley watch` without another one."""
        self._user, self._program = pty.openpty()
        self.resize(columns, rows)
        self.before = self.settings()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "parleyd", *(command or ["watch"])],
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            env={**os.environ, "TERM": term},
            start_new_session=True,
            preexec_fn=self._take,
        )
        self.written = b""
        """Everything that the command has written."""
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._user)
        os.close(self._program)

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._program)

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._program, termios.TIOCSWINSZ, size)

    def press(self, keys: bytes) -> None:
        os.write(self._user, keys)

    def wait_for(self, text: str, after: int = 0) -> int:
        """Wait until the command has written a text; return the place behind it."""
        deadline = time.monotonic() + WITHIN_S
        while text.encode() not in self.written[after:]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.written[after:]!r}"
            time.sleep(POLL_S)
        return self.written.index(text.encode(), after) + len(text.encode())

    def ended(self) -> int:
        """Wait for the end of the command; return its exit status."""
        return self.process.wait(WITHIN_S)

    def _take(self) -> None:
        """In the new process: the terminal is its controlling one, so that Ctrl+C reaches it."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _read(self) -> None:
        try:
            while data := os.read(self._user, 1 << 16):
                self.written += data
        except OSError:
            pass
