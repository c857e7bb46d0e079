"""`parley turns`: the last turns as a table, from the journal."""

import grp
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parleyd.diagnostics.journal import LoggedTurn
from parleyd.diagnostics.journal import turns as read
from parleyd.diagnostics.prices import price_table
from parleyd.errors import ParleyError
from parleyd.printable import printable
from parleyd.system.child_environment import child_environment

PLAIN_WIDTH = 170  # columns if the output is a file
PERCENTILES = (50, 90, 99)
JOURNAL_READERS = frozenset({"systemd-journal", "adm", "wheel"})
"""The groups that see the journal of services; others see an empty one, without an error."""

COLUMNS = {
    "listened": "listened_ms",
    "endpoint": "endpoint_ms",
    "first audio": "first_delta_ms",
    "first sound": "first_frame_ms",
    "heard": "heard_ms",
    "hold": "onset_to_hold_ms",
    "interrupt": "onset_to_interrupt_ms",
    "false interruptions": "false_interruptions",
    "tokens in": "input_tokens",
    "cached": "cached_tokens",
    "tokens out": "output_tokens",
    "cost": "cost",
}
ALWAYS = 8  # columns shown even if empty; the others only if a server reports them


@click.command()
@click.option(
    "-n",
    "count",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many of the last turns.",
)
@click.option("--since", default="-7d", show_default=True, help="A time as for journalctl.")
@click.option("--unit", default="parleyd", show_default=True, help="The systemd unit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(sorted(price_table().models)),
    help="Estimate what these turns cost with this model; may be repeated.",
)
@click.argument("file", type=click.File("rb"), required=False)
def turns(
    count: int,
    since: str,
    unit: str,
    as_json: bool,
    models: tuple[str, ...],
    file: BinaryIO | None,
) -> None:
    """Show the last turns: the time of each stage in ms, and percentiles.

    The turns come from the journal, or from FILE (`-`: standard input): the output of
    `journalctl -o json`, or the log of `parley run` from a terminal.

    The endpoint (the end of the question, after a pause) counts from the end of your voice.
    First audio (received) and first sound (heard) count from the endpoint. Hold (silence)
    and interrupt (decision) count from the onset of an interruption.

    With --model, a second table estimates the cost: the tokens that the server has counted,
    times the model's list prices.

    \b
    Examples:
      parley turns -n 5
      parley turns --model gpt-realtime-2.1 --model gpt-realtime-2.1-mini
      parley turns --since today --json | jq '.turns[].heard_ms'
    """
    found = read(file, count) if file is not None else _journal(unit, since, count)
    for turn in found:
        _estimate(turn, models)
    if as_json:
        rows = [{"at": turn.at.isoformat(), **turn.fields, **turn.usage} for turn in found]
        click.echo(json.dumps({"turns": rows}))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    if not found:
        console.print("No turns. Parley logs them if log.level is info or debug.")
        if file is None and not _sees_services():
            console.print("This user does not see the log of services: sudo parley turns")
        return
    console.print(_table(found))
    if any(_numbers(found, _estimate_name(model)) for model in models):
        console.print(_costs(found, models))


def _estimate(turn: LoggedTurn, models: Sequence[str]) -> None:
    for model in models:
        cost = price_table().models[model].cost(turn.usage)
        if cost is not None:
            turn.usage[_estimate_name(model)] = cost


def _estimate_name(model: str) -> str:
    """The name of the estimate among the figures of a turn."""
    return f"cost of {model}"


def _journal(unit: str, since: str, count: int) -> list[LoggedTurn]:
    command = [
        *("journalctl", "--unit", unit, "--since", since, "--output", "json", "--no-pager"),
        *("--output-fields", "MESSAGE,LOGGER,_PID", "LOGGER=parleyd.turns"),
    ]
    try:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(os.environ),
        ) as journal:
            assert journal.stdout is not None
            assert journal.stderr is not None
            found = read(journal.stdout, count)
            said = journal.stderr.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        raise ParleyError(
            "this machine has no journalctl; read a file instead: parley turns FILE"
        ) from None
    if journal.returncode != 0 or (said and not found):
        what = " ".join(said.split()) or f"status {journal.returncode}"
        raise ParleyError(
            f"the journal cannot be read ({what}); try sudo, or join the group systemd-journal"
        )
    return found


def _sees_services() -> bool:
    if os.geteuid() == 0:
        return True
    groups = {*os.getgroups(), os.getegid()}
    return any(g.gr_gid in groups and g.gr_name in JOURNAL_READERS for g in grp.getgrall())


def _table(found: Sequence[LoggedTurn]) -> Table:
    told = [
        (title, name)
        for place, (title, name) in enumerate(COLUMNS.items())
        if place < ALWAYS or any(turn.number(name) is not None for turn in found)
    ]
    table = Table(caption=f"{len(found)} turns; times in ms")
    table.add_column("when", no_wrap=True)
    table.add_column("begun by")
    for title, _ in told:
        table.add_column(title, justify="right")
    for turn in found:
        figures = [_shown(turn.number(name)) for _, name in told]
        begun_by = printable(str(turn.fields.get("begun_by", "")))
        table.add_row(f"{turn.at:%d %b %H:%M:%S}", Text(begun_by), *figures)
    table.add_section()
    for percent in PERCENTILES:
        table.add_row(f"p{percent}", "", *(_percentile(found, name, percent) for _, name in told))
    return table


def _costs(found: Sequence[LoggedTurn], models: Sequence[str]) -> Table:
    """The estimates: for all turns whose tokens the server has counted, and for one of them."""
    table = Table(caption=f"estimates in US dollars, with list prices of {price_table().read_on}")
    for title in ("model", "turns", "together", "per turn"):
        table.add_column(title, justify="left" if title == "model" else "right")
    for model in models:
        costs = _numbers(found, _estimate_name(model))
        mean = sum(costs) / len(costs) if costs else None
        table.add_row(model, str(len(costs)), *map(_money, (sum(costs), mean)))
    return table


def _numbers(found: Sequence[LoggedTurn], name: str) -> list[float]:
    return [n for turn in found if (n := turn.number(name)) is not None]


def _percentile(found: Sequence[LoggedTurn], name: str, percent: int) -> str:
    values = _numbers(found, name)
    return _shown(float(np.percentile(values, percent))) if values else ""


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _shown(value: float | None) -> str:
    """Format a figure as a whole number, but an amount of money below 1 with four decimals."""
    if value is None:
        return ""
    return f"{value:.0f}" if value == 0 or value >= 1 else f"{value:.4f}"
