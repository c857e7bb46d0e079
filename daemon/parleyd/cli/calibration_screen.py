"""What `parley calibrate` shows while it measures: one line for each step, with a bar."""

import shutil
import sys
import textwrap

import click

from parleyd.calibration.figures import WordFigures
from parleyd.calibration.verdict import Grade, Verdict
from parleyd.printable import printable

BAR = 20  # characters
COLOURS = {Grade.GOOD: "green", Grade.BETTER: "yellow", Grade.WRONG: "red"}
WIDEST = 100
_INDENT = " " * 8


class CalibrationScreen:
    """Prints steps and verdicts; without a terminal there is no bar."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._draws = shown and sys.stdout.isatty()
        self._step = ""

    def say(self, text: str) -> None:
        """Print a line."""
        if self._shown:
            click.echo(text)

    def step(self, text: str) -> None:
        """Begin a step."""
        self.end()
        self._step = text
        if self._draws:
            self.progress(0.0)
        else:
            self.say(text)

    def progress(self, part: float) -> None:
        """Draw the bar of the step; `part`: 0 to 1."""
        if self._draws:
            full = round(min(max(part, 0.0), 1.0) * BAR)
            click.echo(f"\r{'#' * full}{'.' * (BAR - full)}  {self._step}\x1b[K", nl=False)

    def heard(self, word: WordFigures) -> None:
        """Add to the step whether the wake word was found."""
        self._step += ": found" if word.found else ": not found"
        if not self._draws:
            self.say(_INDENT + ("found" if word.found else "not found"))

    def end(self) -> None:
        """End the step."""
        if self._draws and self._step:
            self.progress(1.0)
            click.echo()
        self._step = ""

    def report(self, verdicts: list[Verdict]) -> None:
        """Print the verdicts."""
        click.echo()
        width = min(shutil.get_terminal_size().columns, WIDEST) if self._draws else WIDEST
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
