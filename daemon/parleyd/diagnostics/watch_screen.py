"""The screen of `parley watch`: from a snapshot and a size to lines of text. Pure.

Every colour has a word beside it. Where the screen is low, the least important rows are left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rich.color import Color
from rich.style import Style
from rich.text import Text

from parleyd.control.replies import Fields, LevelsMeasured, StatusReply
from parleyd.core.states import Indication
from parleyd.diagnostics.watching import (
    Peak,
    WatchSnapshot,
    answer_ms,
    heard_ms,
    number,
    silence_ms,
)
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.lights.terminal import on_screen
from parleyd.printable import printable

QUIETEST_DBFS = -70.0
_LABEL, _VALUE, _REMARK = 12, 9, 18  # columns
_LONGEST_BAR = 60
_FIRST_TURNS = 3  # that are more important than empty rows
_TURN_COLUMNS = (5, 14, 9, 9, 10, 7)
_TURN_TITLES = ("turn", "begun by", "to answer", "heard", "to silence", "resumed")
_DIM, _BOLD, _WARNING = Style(dim=True), Style(bold=True), Style(color="yellow", bold=True)


class Glyphs(NamedTuple):
    """The characters of lights and bars."""

    lit: str
    dark: str
    full: str
    empty: str
    mark: str
    """A threshold."""
    peak: str


UNICODE = Glyphs("●", "○", "█", "·", "│", "▌")
ASCII = Glyphs("*", "o", "#", ".", "|", "+")


class _Row(NamedTuple):
    rank: int
    """The highest ranks are left out first."""
    text: Text


def screen(shown: WatchSnapshot, columns: int, rows: int, glyphs: Glyphs = UNICODE) -> list[Text]:
    """Return the lines, at most `rows`, each of at most `columns` cells."""
    all_rows = [*_head(shown, columns, glyphs), *_levels(shown.levels, shown, columns, glyphs)]
    all_rows += [*_figures(shown), *_turns(shown.turns, rows)]
    ranks = sorted(row.rank for row in all_rows)
    over = len(all_rows) - (rows - 1)
    least = ranks[-over] if 0 < over <= len(ranks) else 99
    kept = [row.text for row in all_rows if row.rank < least]
    kept += [Text()] * (rows - 1 - len(kept))
    lines = [*kept, Text(" q ends", _DIM)][-max(1, rows) :]
    for line in lines:
        line.truncate(columns, overflow="ellipsis")
        line.no_wrap = True
    return lines


def light(indication: str, glyphs: Glyphs) -> Text:
    """The state as its light: a dot in the colour of the LED, and the word."""
    try:
        hue = LED_PATTERNS[Indication(indication)].hue
    except ValueError:  # of a later version
        return Text(f"{glyphs.lit} {printable(indication)}", _BOLD)
    if not any(hue):
        return Text(f"{glyphs.dark} {indication}", _BOLD)
    colour = Style(color=Color.from_rgb(*on_screen(hue)), bold=True)
    return Text.assemble((glyphs.lit, colour), (f" {indication}", _BOLD))


def _head(shown: WatchSnapshot, columns: int, glyphs: Glyphs) -> Iterator[_Row]:
    yield _Row(29, _title(shown.status, columns))
    if shown.problem:
        yield _Row(0, Text(f" ! {printable(shown.problem)}", _WARNING))
    elif shown.indication:
        detail = f"   {printable(shown.detail)}" if shown.detail else ""
        yield _Row(0, Text.assemble(" ", light(shown.indication, glyphs), detail))
    else:
        yield _Row(0, Text(" connecting", _DIM))
    yield _Row(34, Text())


def _title(status: StatusReply | None, columns: int) -> Text:
    if status is None:
        return Text(" Parley", _BOLD)
    title = f" Parley {printable(status.version)}"
    minutes = status.uptime_s // 60
    facts = (
        f"server {printable(status.server)}, volume {status.volume} %, "
        f"up {minutes // 60}:{minutes % 60:02} h"
    )
    gap = max(2, columns - len(title) - len(facts) - 1)
    return Text.assemble((title, _BOLD), " " * gap, (facts, _DIM))


def _levels(
    levels: LevelsMeasured | None, shown: WatchSnapshot, columns: int, glyphs: Glyphs
) -> Iterator[_Row]:
    bars = _Bars(max(5, min(_LONGEST_BAR, columns - _LABEL - _VALUE - _REMARK - 4)), glyphs)
    now = levels if levels is not None else LevelsMeasured(buffered_ms=0)
    yield _Row(1, bars.level("microphone", now.mic_dbfs))
    yield _Row(21, bars.level("echo", now.echo_dbfs))
    yield _Row(20, bars.level("cleaned", now.cleaned_dbfs))
    excess = "" if now.excess_db is None else f"excess {now.excess_db:.1f} dB"
    limits = "" if now.threshold is None else f"holds over {now.threshold:.2f}"
    yield _Row(2, bars.share("user score", now.near_end, shown.user_peak, now.threshold, limits))
    yield _Row(22, bars.share("voice", now.voice, Peak(0.0, 0.0), None, excess))
    limits = "" if now.wake_cutoff is None else f"wakes over {now.wake_cutoff:.2f}"
    yield _Row(23, bars.share("wake score", now.wake, shown.wake_peak, now.wake_cutoff, limits))


class _Bars(NamedTuple):
    """Rows with a label, a value, a bar and a remark."""

    cells: int
    glyphs: Glyphs

    def level(self, label: str, dbfs: float | None) -> Text:
        """A level in dBFS."""
        share = None if dbfs is None else 1 - dbfs / QUIETEST_DBFS
        return self._row(label, _dbfs(dbfs), share)

    def share(
        self, label: str, value: float | None, peak: Peak, mark: float | None, remark: str
    ) -> Text:
        """A probability with its threshold and its peak of the last seconds."""
        if value is None:
            return self._row(label, "-", None)
        return self._row(label, f"{value:.2f}", value, peak.value, mark, remark)

    def _row(
        self,
        label: str,
        value: str,
        share: float | None,
        peak: float = 0.0,
        mark: float | None = None,
        remark: str = "",
    ) -> Text:
        over = share is not None and mark is not None and max(share, peak) > mark
        row = Text(f" {label:<{_LABEL}}{value:>{_VALUE}}  ")
        if share is None:
            return row
        bar = self._bar(share, peak, mark)
        row.append(bar, _BOLD if over else "")
        return row.append(f"  {remark}" if remark else "", _BOLD if over else _DIM)

    def _bar(self, share: float, peak: float, mark: float | None) -> str:
        full = self._cell(share)
        cells = list(self.glyphs.full * full + self.glyphs.empty * (self.cells - full))
        if self._cell(peak) > full:
            cells[self._cell(peak) - 1] = self.glyphs.peak
        if mark is not None:
            cells[min(self._cell(mark), self.cells - 1)] = self.glyphs.mark
        return "".join(cells)

    def _cell(self, share: float) -> int:
        return round(self.cells * max(0.0, min(share, 1.0)))


def _figures(shown: WatchSnapshot) -> Iterator[_Row]:
    status, levels = shown.status, shown.levels
    buffered = f"{levels.buffered_ms / 1000:.1f} s" if levels is not None else "-"
    xruns = str(status.xruns) if status is not None else "-"
    yield _Row(24, _pairs(("buffer", buffered), ("xruns", xruns), ("link", _link(status))))
    trouble = levels.trouble if levels is not None else ""
    if trouble:
        yield _Row(3, _pairs(("hearing", printable(trouble)), style=_WARNING))
    elif levels is not None and levels.mic_dbfs is not None:
        yield _Row(25, _pairs(("hearing", "a voice interrupts")))
    else:
        yield _Row(25, _pairs(("hearing", "-")))
    if levels is not None and levels.processing:
        yield _Row(
            4, _pairs(("", f"the microphone changes its sound: {printable(levels.processing)}"))
        )


def _dbfs(level: float | None) -> str:
    if level is None:
        return "-"
    return f"{level:.0f} dBFS" if level > QUIETEST_DBFS else "none"


def _link(status: StatusReply | None) -> str:
    if status is None:
        return "-"
    if status.round_trip_ms is None:
        return printable(status.link)
    return f"{printable(status.link)}, round trip {status.round_trip_ms:.3g} ms"


def _pairs(*pairs: tuple[str, str], style: Style | str = "") -> Text:
    (label, value), *others = pairs
    row = Text(f" {label:<{_LABEL}}").append(value, style)
    for label, value in others:
        row.append(f"    {label} {value}")
    return row


def _turns(turns: tuple[Fields, ...], most: int) -> Iterator[_Row]:
    yield _Row(35, Text())
    yield _Row(30, Text(_columns(_TURN_TITLES) if turns else " no turns yet", _DIM))
    newest = list(reversed(turns))[:most]
    for place, turn in enumerate(newest):
        yield _Row(31 + place if place < _FIRST_TURNS else 33 + place, Text(_turn(turn)))


def _turn(turn: Fields) -> str:
    waits = (answer_ms(turn), heard_ms(turn), silence_ms(turn))
    times = ["-" if ms is None else f"{ms} ms" for ms in waits]
    begun_by = printable(str(turn.get("begun_by", "")))[: _TURN_COLUMNS[1]]
    name, holds = number(turn, "turn") or "-", number(turn, "false_interruptions") or ""
    return _columns((str(name), begun_by, *times, str(holds)))


def _columns(texts: tuple[str, ...]) -> str:
    cells = zip(texts, _TURN_COLUMNS, strict=True)
    aligned = [
        text.ljust(width) if place == 1 else text.rjust(width)
        for place, (text, width) in enumerate(cells)
    ]
    return " ".join(aligned).rstrip()


def plain(shown: WatchSnapshot) -> str:
    """The snapshot as one line, for a pipe or a dumb terminal."""
    if shown.problem:
        return printable(shown.problem)
    levels, status = shown.levels, shown.status
    detail = f" ({printable(shown.detail)})" if shown.detail else ""
    parts = [f"{printable(shown.indication) or 'connecting'}{detail}"]
    if levels is not None and levels.mic_dbfs is not None:
        parts += [
            f"microphone {_dbfs(levels.mic_dbfs)}",
            f"echo {_dbfs(levels.echo_dbfs)}",
            f"cleaned {_dbfs(levels.cleaned_dbfs)}",
            f"user {levels.near_end} of {levels.threshold}",
            f"voice {levels.voice}",
        ]
        if levels.wake is not None:
            parts.append(f"wake {levels.wake} of {levels.wake_cutoff}")
        if levels.trouble:
            parts.append(printable(levels.trouble))
    elif levels is not None:
        parts.append("microphone closed")
    if levels is not None:
        parts.append(f"buffer {levels.buffered_ms} ms")
    if status is not None:
        parts += [f"xruns {status.xruns}", f"link {_link(status)}"]
    return ", ".join(parts)


def plain_turn(turn: Fields) -> str:
    """A turn that has ended as one line."""
    times = {"to answer": answer_ms(turn), "heard": heard_ms(turn), "to silence": silence_ms(turn)}
    told = [f"{name} {ms} ms" for name, ms in times.items() if ms is not None]
    begun_by = printable(str(turn.get("begun_by", "")), 40)
    return ", ".join([f"turn {number(turn, 'turn')} by {begun_by}", *told])
