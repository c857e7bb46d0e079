"""What `parley calibrate` shows while it measures: one line for each step, with a bar."""

import os
import sys
import textwrap
from typing import TextIO

import click

from parleyd.calibration.figures import WordFigures
from parleyd.calibration.verdict import Grade, Verdict
from parleyd.printable import printable

BAR = 20  # characters
COLOURS = {Grade.GOOD: "green", Grade.BETTER: "yellow", Grade.WRONG: "red"}
WIDEST, USUAL = 100, 80
FOUND, NOT_FOUND = ": found", ": not found"
_INDENT = " " * 8


class CalibrationScreen:
    """Prints steps and verdicts; without a terminal there is no bar.

    Steps go to the terminal of the person, also if the results go into a file: with JSON, standard
    output is for the results alone.
    """

    def __init__(self, *, as_json: bool) -> None:
        streams = (sys.stderr,) if as_json else (sys.stdout, sys.stderr)
        self._terminal = next((stream for stream in streams if stream and stream.isatty()), None)
        self._shown = self._terminal is not None or not as_json
        self._step = self._beside = ""

    @property
    def asks(self) -> bool:
        """Whether a person sees what to say."""
        return self._terminal is not None and sys.stdin is not None and sys.stdin.isatty()

    def say(self, text: str) -> None:
        """Print a line."""
        if self._shown:
            click.echo(text, file=self._terminal)

    def step(self, text: str) -> None:
        """Begin a step."""
        self.end()
        self._step = self._beside = printable(text)
        if self._terminal is None:
            self.say(self._step)
            return
        columns = _columns(self._terminal)
        if BAR + len(f"  {self._step}{NOT_FOUND}") >= columns:  # else each bar is a new line
            self._beside = ""
            for line in textwrap.wrap(self._step, max(columns - 1, 1)):
                self.say(line)
        self.progress(0.0)

    def progress(self, part: float) -> None:
        """Draw the bar of the step; `part`: 0 to 1."""
        if self._terminal is not None:
            full = round(min(max(part, 0.0), 1.0) * BAR)
            line = f"{'#' * full}{'.' * (BAR - full)}  {self._beside}"
            line = line[: _columns(self._terminal) - 1].rstrip()
            click.echo(f"\r{line}\x1b[K", file=self._terminal, nl=False)

    def heard(self, word: WordFigures) -> None:
        """Add to the step whether the wake word was found."""
        told = FOUND if word.found else NOT_FOUND
        self._beside = f"{self._beside}{told}" if self._beside else told.removeprefix(": ")
        if self._terminal is None:
            self.say(_INDENT + told.removeprefix(": "))

    def end(self) -> None:
        """End the step."""
        if self._terminal is not None and self._step:
            self.progress(1.0)
            self.say("")
        self._step = self._beside = ""

    def report(self, verdicts: list[Verdict]) -> None:
        """Print the verdicts."""
        click.echo()
        here = self._terminal is not None and self._terminal is sys.stdout
        width = min(_columns(sys.stdout), WIDEST) if here else WIDEST
        for verdict in verdicts:
            grade = click.style(f"{verdict.grade:<6}", fg=COLOURS[verdict.grade])
            first, *rest = textwrap.wrap(printable(verdict.text), max(width - 8, 30))
            click.echo(f"{grade}  {first}")
            for line in rest:
                click.echo(_INDENT + line)
            if verdict.remedy:
                remedy = f"do: {printable(verdict.remedy)}"
                for line in textwrap.wrap(remedy, max(width - 8, 30), break_on_hyphens=False):
                    click.echo(_INDENT + line)
        click.echo()


def _columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or USUAL
    except OSError:  # it has gone
        return USUAL
