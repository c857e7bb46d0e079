"""A terminal as a full screen: single keys, changed lines, and everything as it was at the end.

The end may be a key, an exception, a signal, or the end of the terminal itself.
"""

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType
from typing import Any

from rich.console import Console
from rich.text import Text

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"  # the alternate screen, without a cursor
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_FALLBACK = (80, 24)  # some terminals, for instance over a serial line, have no size
_KNOWN_LINES = 2000
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class FullScreen:
    """A context manager around a terminal; for the main thread."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._keys: int | None = None  # the file of the keyboard; None: there is none
        self._before: list[Any] = []  # its settings
        self._drawn: list[Text] = []
        self._size = (0, 0)
        self._codes: dict[tuple[object, ...], str] = {}
        self._handlers: dict[signal.Signals, object] = {}

    def __enter__(self) -> "FullScreen":
        if sys.stdin.isatty():
            self._keys = sys.stdin.fileno()
        for number in _ENDING:
            self._handlers[number] = signal.signal(number, _end)
        self._handlers[signal.SIGINT] = signal.getsignal(signal.SIGINT)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._suspend)
        try:
            self._enter()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl+C must not leave half a screen
        self._leave()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it came from `signal`

    @property
    def keys(self) -> int | None:
        """The file of the keyboard, for `select`; None if there is none."""
        return self._keys

    def pressed(self) -> str:
        """The keys that were pressed. Raises `EOFError` at the end of the terminal."""
        assert self._keys is not None
        pressed = os.read(self._keys, 1024)
        if not pressed:
            raise EOFError
        return pressed.decode("utf-8", "replace")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows at this moment."""
        try:
            columns, rows = os.get_terminal_size(self._console.file.fileno())
        except OSError:
            return _FALLBACK
        return (columns, rows) if columns > 0 and rows > 0 else _FALLBACK

    def draw(self, lines: Sequence[Text]) -> None:
        """Write the lines that have changed; all of them after a change of the size."""
        size, clear = self.size, ""
        if size != self._size:
            self._size, self._drawn, clear = size, [], "\x1b[2J"
        changed = [
            f"\x1b[{row};1H{self._coded(line)}\x1b[K"
            for row, line in enumerate(lines, start=1)
            if row > len(self._drawn) or line != self._drawn[row - 1]
        ]
        self._drawn = list(lines)
        if changed or clear:
            self._write(clear + "".join(changed))

    def _coded(self, line: Text) -> str:
        """The line with the codes of this terminal; levels are rounded, so most lines return."""
        key = (line.plain, *line.spans)
        if key not in self._codes:
            if len(self._codes) >= _KNOWN_LINES:
                self._codes.clear()
            with self._console.capture() as captured:
                self._console.print(line, end="", crop=False, soft_wrap=True, highlight=False)
            self._codes[key] = captured.get()
        return self._codes[key]

    def _enter(self) -> None:
        if self._keys is not None:
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSANOW)
        self._size = (0, 0)
        self._write(_ENTER)

    def _leave(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal has gone
            self._write(_LEAVE)
        if self._keys is not None and self._before:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSANOW, self._before)
                termios.tcflush(self._keys, termios.TCIFLUSH)  # keys meant for the screen

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl+Z: give the terminal back; after `fg`, take it again."""
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._enter()

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
