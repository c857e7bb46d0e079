"""The person at the terminal of this process."""

import contextlib
import os
import select
import sys
import termios

from parleyd.printable import printable
from parleyd.setup.asking import Stopped

LONGEST_ENTRY = 1 << 14  # bytes; the kernel ends a line after 4096
REST_S = 0.05  # the rest of a pasted text arrives within it
_PASTE_MARKS = ("\x1b[200~", "\x1b[201~")  # some terminals put them around a pasted text


class Terminal:
    """Asks on stdin and stdout; both are terminals. `greeting` comes before the first line."""

    def __init__(self, greeting: str) -> None:
        self._input = sys.stdin.fileno()
        self._greeting = greeting

    @property
    def used(self) -> bool:
        """Whether the person has seen anything."""
        return not self._greeting

    def say(self, text: str) -> None:
        """Print a line; characters that the locale lacks become ``?``."""
        if self._greeting:
            text, self._greeting = f"{self._greeting}\n{text}", ""
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding), flush=True)

    def ask(self, prompt: str) -> str:
        """Return one line without spaces at its ends. Blocks. Raises `Stopped`."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        try:
            return printable(self._line())
        except KeyboardInterrupt:
            raise Stopped from None

    def ask_secretly(self, prompt: str) -> str:
        """Like `ask`; the line does not appear, and text typed before the prompt is dropped.

        A pasted text of several lines is returned whole, so that none of it answers the next
        question or reaches the shell.
        """
        shown = termios.tcgetattr(self._input)
        hidden = shown.copy()
        hidden[3] &= ~termios.ECHO
        termios.tcsetattr(self._input, termios.TCSAFLUSH, hidden)
        try:
            sys.stdout.write(prompt)
            sys.stdout.flush()
            lines = [self._line()]
            while select.select([self._input], [], [], REST_S)[0] and len(lines) < LONGEST_ENTRY:
                lines.append(self._line())
        except KeyboardInterrupt:
            raise Stopped from None
        finally:
            with contextlib.suppress(OSError, termios.error):  # the terminal is gone
                termios.tcsetattr(self._input, termios.TCSAFLUSH, shown)
                sys.stdout.write("\n")
                sys.stdout.flush()
        return "\n".join(lines).strip()

    def _line(self) -> str:
        """Read one line by itself: Python's own buffer would keep the rest of a paste."""
        data = b""
        while not data.endswith(b"\n") and len(data) < LONGEST_ENTRY:
            try:
                piece = os.read(self._input, LONGEST_ENTRY)
            except OSError:  # the terminal is gone
                raise Stopped from None
            if not piece:
                raise Stopped
            data += piece
        text = data.decode("utf-8", "replace")
        for mark in _PASTE_MARKS:
            text = text.replace(mark, "")
        return text.strip()
