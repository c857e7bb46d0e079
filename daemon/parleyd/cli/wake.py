"""`parley wake test`: how well the wake word is heard, in recordings or live."""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from msgspec import structs

from parleyd import config
from parleyd.app.preflight import WAKE_KEY
from parleyd.cli.configuration import config_option
from parleyd.cli.control import EXIT_STATUS, refusals
from parleyd.control.client import ControlClient
from parleyd.control.replies import Done, LevelsMeasured, Logged, encode
from parleyd.control.requests import SubscribeRequest
from parleyd.diagnostics.recordings import microphone
from parleyd.diagnostics.wake_hearing import Suggestion, WordHeard, hear, suggest
from parleyd.errors import ParleyError
from parleyd.printable import printable
from parleyd.units import Frames
from parleyd.wake import factory
from parleyd.wake.micro_models import model_of

BAR = 40  # characters
HELD = 20  # levels, 2 s: the highest of them is shown
NEAR = 0.5  # of the cutoff: a lower peak is not worth a line
MOST_SAID = 100_000


@click.group()
def wake() -> None:
    """Test the wake word."""


@wake.command(epilog=EXIT_STATUS)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option(
    "--keyword", "keywords", multiple=True, help="A word or a model's path, not [wake]'s."
)
@click.option("--sensitivity", type=click.FloatRange(0, 1), help="Not that of [wake].")
@click.option(
    "--said", type=click.IntRange(0, MOST_SAID), help="How often the word is said in the FILEs."
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or one a line.")
def test(
    files: tuple[Path, ...],
    keywords: tuple[str, ...],
    sensitivity: float | None,
    said: int | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Count the wake word in each FILE, or show its score live.

    A FILE is a WAV file of one channel, or a turn that the daemon recorded. With --said, the
    sensitivity is suggested that finds this number of words: --said 0 for a recording of
    ordinary life without the word.

    Without a FILE, the running daemon tells the score, and each word that it finds.

    \b
    Examples:
      parley wake test
      parley wake test ten_times.wav --said 10
      parley wake test television.wav --said 0 --keyword ./computer.json
    """
    if not files:
        if keywords or said is not None or sensitivity is not None:
            raise click.UsageError("--keyword, --sensitivity and --said need a FILE")
        with refusals(as_json=as_json):
            _live(as_json)
        return
    if sensitivity is not None and math.isnan(sensitivity):  # which no range excludes
        raise click.BadParameter("nan is not in the range 0<=x<=1.", param_hint="--sensitivity")
    settings = config.load(path).wake
    if sensitivity is not None:
        settings = structs.replace(settings, sensitivity=sensitivity)
    tested = [
        _test(files, structs.replace(settings, keywords=(keyword,)), said)
        for keyword in keywords or settings.keywords
    ]
    if as_json:
        click.echo(json.dumps({"keywords": [_as_json(word, files) for word in tested]}))
        return
    for word in tested:
        _print(word, files, settings.sensitivity, said)


class _Tested(NamedTuple):
    """One keyword in all files."""

    keyword: str
    cutoff: float | None
    """None if the engine gives no score."""
    heard: list[WordHeard]
    suggestion: Suggestion | None


def _test(files: Sequence[Path], settings: config.WakeConfig, said: int | None) -> _Tested:
    engine = factory.create(settings, config.secret(WAKE_KEY, os.environ))
    try:
        (keyword,) = engine.keywords
        cutoff = engine.score.cutoff if engine.score is not None else None
        heard = [hear(engine, _recording(file), settings.refractory_s) for file in files]
    finally:
        engine.close()
    suggestion = None
    if said is not None and cutoff is not None:
        suggestion = suggest(heard, said, model_of(settings.keywords[0]).cutoff)
    return _Tested(keyword, cutoff, heard, suggestion)


def _recording(file: Path) -> Frames:
    try:
        return microphone(file)
    except ParleyError as error:
        raise ParleyError(f"{file}: {error}") from None


def _as_json(word: _Tested, files: Sequence[Path]) -> dict[str, object]:
    return {
        "keyword": word.keyword,
        "cutoff": word.cutoff,
        "files": [
            {
                "file": str(file),
                "duration_s": round(heard.duration_s, 2),
                "detections": heard.detections,
                "peaks": [[peak.seconds, round(peak.score, 3)] for peak in heard.peaks],
            }
            for file, heard in zip(files, word.heard, strict=True)
        ],
        "suggestion": word.suggestion and word.suggestion._asdict(),
    }


def _print(word: _Tested, files: Sequence[Path], sensitivity: float, said: int | None) -> None:
    for file, heard in zip(files, word.heard, strict=True):
        click.echo(f"{printable(file.name)}: {heard.duration_s:.1f} s")
        lines = [(seconds, "found") for seconds in heard.detections]
        if word.cutoff is not None:
            cutoff = word.cutoff
            lines = [
                (
                    peak.seconds,
                    f"{'found' if peak.score > cutoff else 'missed':6}  {peak.score:.2f}",
                )
                for peak in heard.peaks
                if peak.score > cutoff * NEAR
            ]
        for seconds, what in lines:
            click.echo(f"{seconds:9.2f} s  {what}")
    found = sum(len(heard.detections) for heard in word.heard)
    minutes = sum(heard.duration_s for heard in word.heard) / 60
    at = f", cutoff {word.cutoff:.2f}" if word.cutoff is not None else ""
    name = printable(word.keyword)
    click.echo(f"{name}: {found} found in {minutes:.1f} min, at sensitivity {sensitivity:g}{at}")
    if said is not None:
        click.echo(_advice(word.suggestion, said))


def _advice(suggestion: Suggestion | None, said: int) -> str:
    if suggestion is None:
        return "This engine gives no score: try other values of --sensitivity."
    key = f"wake.sensitivity = {suggestion.sensitivity:g} (cutoff {suggestion.cutoff:.2f})"
    if suggestion.found == said:
        return f"Suggestion: {key} finds exactly {said}."
    return f"No sensitivity finds exactly {said}: {key} finds {suggestion.found}."


def _live(as_json: bool) -> None:
    """Show the daemon's wake score until Ctrl+C."""
    found = 0
    line = _ScoreLine(shown=sys.stdout.isatty() and not as_json)
    try:
        with ControlClient() as daemon:
            daemon.ask(SubscribeRequest(topics=("levels", "log")), Done)
            for event in daemon.events():
                if as_json and isinstance(event, LevelsMeasured):
                    click.echo(json.dumps({"wake": event.wake, "wake_cutoff": event.wake_cutoff}))
                elif isinstance(event, LevelsMeasured):
                    line.show(event)
                elif isinstance(event, Logged) and event.name == "wake":
                    found += 1
                    told = f"{found:4}  {printable(str(event.fields.get('keyword')))}"
                    line.clear()
                    click.echo(encode(event).decode().rstrip() if as_json else told)
    except (KeyboardInterrupt, EOFError):
        line.clear()
        if not as_json:
            click.echo(f"{found} found")


class _ScoreLine:
    """One line of a terminal, drawn again with each score."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._highest = [0.0] * HELD

    def show(self, levels: LevelsMeasured) -> None:
        if not self._shown:
            return
        if levels.wake is None or levels.wake_cutoff is None:
            text = "no score: the microphone is closed, or the engine gives none"
        else:
            self._highest = [*self._highest[1:], levels.wake]
            full = round(levels.wake * BAR)
            mark = min(BAR - 1, round(levels.wake_cutoff * BAR))
            bar = "".join("#" if n < full else "|" if n == mark else "." for n in range(BAR))
            highest = max(self._highest)
            text = f"score {levels.wake:.2f} {bar} highest {highest:.2f}"
        click.echo(f"\r{text}\x1b[K", nl=False)

    def clear(self) -> None:
        """Make room for other text."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False)
