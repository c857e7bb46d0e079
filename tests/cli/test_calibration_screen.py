"""What a person sees while `parley calibrate` measures, on a real terminal of any width."""

import io
import os
import pty
import re
import select
import sys
import termios
from collections.abc import Iterator

import pytest

from parleyd.calibration.figures import WordFigures
from parleyd.cli.calibration_screen import CalibrationScreen

SAY = '1 of 5: say "hey mycroft" from your usual place'
MISSED = WordFigures(found=False, score=None, cutoff=None, level_dbfs=-40.0, noise_dbfs=-65.0)


class ScreenOfPerson:
    """A terminal in memory; `stream` writes to it."""

    def __init__(self) -> None:
        self._there, here = pty.openpty()
        self.stream = os.fdopen(here, "w", encoding="utf-8")

    def resize(self, columns: int) -> None:
        termios.tcsetwinsize(self.stream.fileno(), (24, columns))

    @property
    def rows(self) -> list[str]:
        """All that was written at the begin of a row, also what was written over."""
        self.stream.flush()
        text = ""
        while select.select([self._there], [], [], 0)[0]:
            text += os.read(self._there, 1 << 16).decode()
        return [row for row in re.split(r"[\r\n]+", text.replace("\x1b[K", "")) if row]

    def close(self) -> None:
        self.stream.close()
        os.close(self._there)


@pytest.fixture
def terminal() -> Iterator[ScreenOfPerson]:
    terminal = ScreenOfPerson()
    yield terminal
    terminal.close()


def try_a_word(screen: CalibrationScreen) -> None:
    screen.step(SAY)
    screen.progress(0.5)
    screen.heard(MISSED)
    screen.end()


@pytest.mark.parametrize("columns", [10, 40, 72, 120])
def test_no_row_is_wider_than_the_terminal(
    terminal: ScreenOfPerson, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A longer row would leave a new line at each drawing of the bar."""
    terminal.resize(columns)
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    try_a_word(CalibrationScreen(as_json=False))
    rows = terminal.rows
    assert max(map(len, rows)) < columns
    told = " ".join(row for row in rows if "#" not in row and "..." not in row)
    if columns < 80:
        assert told == SAY
    if columns > 30:
        assert rows[-1].endswith("not found")


@pytest.mark.parametrize("as_json", [True, False])
def test_person_is_asked_where_the_results_go_into_a_file(
    terminal: ScreenOfPerson, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.resize(100)
    results = io.StringIO()
    for name, stream in (
        ("stdin", terminal.stream),
        ("stdout", results),
        ("stderr", terminal.stream),
    ):
        monkeypatch.setattr(sys, name, stream)
    screen = CalibrationScreen(as_json=as_json)
    assert screen.asks
    try_a_word(screen)
    assert SAY in terminal.rows[0]
    assert results.getvalue() == ""


def test_nobody_is_asked_who_sees_nothing(
    terminal: ScreenOfPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `2>/dev/null`, and in a cron job."""
    monkeypatch.setattr(sys, "stdin", terminal.stream)
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert CalibrationScreen(as_json=False).asks
    assert not CalibrationScreen(as_json=True).asks
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert not CalibrationScreen(as_json=False).asks
