"""A program at a real pseudo-terminal, and a person who reads and types."""

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

WITHIN_S = 60.0


class TerminalSession:
    """A context manager; the program is the leader of the terminal's session."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._read_to = 0
        self.text = ""
        """All that stood on the terminal so far."""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(environ),
            preexec_fn=lambda: _own_terminal(slave),
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def read_until(self, words: str, within_s: float = WITHIN_S) -> str:
        """Return the text since the last call up to these words. Raises AssertionError."""
        before = self._read_to
        found = self.read_until_match(re.compile(re.escape(words)), within_s)
        assert found, f"{words!r} does not appear:\n{self.text}"
        return self.text[before : self._read_to]

    def read_until_match(self, pattern: re.Pattern[str], within_s: float = WITHIN_S) -> bool:
        """Read up to a match after the last one; return False if the program ends without it."""
        deadline = time.monotonic() + within_s
        while not (found := pattern.search(self.text, self._read_to)):
            if not self._read(deadline):
                return False
        self._read_to = found.end()
        return True

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self.press(f"{line}\n")

    def press(self, keys: str) -> None:
        """Type without Enter: ``\\x03`` is Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._master, keys.encode())

    def answer(self, prompt: str, line: str) -> None:
        """Wait for a prompt, and type a line."""
        self.read_until(prompt)
        self.type(line)

    def ended(self, within_s: float = WITHIN_S) -> int:
        """Wait for the end of the program; return its status."""
        deadline = time.monotonic() + within_s
        while self._read(deadline):
            pass
        return self.process.wait(timeout=within_s)

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows typed text."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def _read(self, deadline: float) -> bool:
        """Read once; return False at the end of the program, or after the deadline."""
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([self._master], [], [], left_s)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # EIO: no program has the terminal any more
            return False
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def _own_terminal(slave: int) -> None:
    os.setsid()
    import fcntl

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
