"""A light of one character in a terminal with 24-bit colours."""

from typing import TextIO

from parleyd.lights import Colour


class TerminalLight:
    """Draws a dot at the start of the line, where the next log line overwrites it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._open = True

    def show(self, colour: Colour) -> None:
        """See `LightOutput.show`."""
        red, green, blue = on_screen(colour)
        dot = f"\r\x1b[38;2;{red};{green};{blue}m●\x1b[0m\r"
        if dot != self._shown:
            self._shown = dot
            self._stream.write(dot)
            self._stream.flush()

    def close(self) -> None:
        """See `LightOutput.close`; clears the line."""
        if self._open:
            self._open = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def on_screen(colour: Colour) -> tuple[int, int, int]:
    """Convert linear light to a screen's 8-bit levels (sRGB's power part, IEC 61966-2-1)."""
    red, green, blue = (round(255 * float(linear ** (1 / 2.2))) for linear in colour)
    return red, green, blue
