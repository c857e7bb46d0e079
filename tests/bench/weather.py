"""All network faults against the whole core: `python -m tests.bench.weather [--no-cuts]`.

The connection and the sockets are real; the room and the time are simulated. Prints for each
weather the audio played and the time to recover, then for every message of a conversation the
effect of a cut right behind it. Exits with 1 if audio was played that was not sent, twice, or
out of order, or if a conversation did not continue.
"""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from jumping_loop import run_simulated
from rich.console import Console
from rich.table import Table

from parleyd.core.events import Show
from parleyd.core.states import Indication, State
from parleyd.simulation.clips import synthesize
from tests.e2e.fault_server import Faults
from tests.e2e.weathering import WEATHERS, cut_behind, outdoors, recorded, recover

REPLY_MS = 6000
SERVERS = {
    "in real time": Faults(paced=True, reply_ms=REPLY_MS),
    "0.6 s ahead": Faults(paced=True, ahead_ms=600, reply_ms=REPLY_MS),
    "at full speed": Faults(reply_ms=REPLY_MS),
}
QUESTION = synthesize("What is the weather like?", "slt")

Row = list[str]


async def in_weather(weather: str, server: str) -> Row:
    async with outdoors(SERVERS[server], QUESTION) as scene:
        began = scene.now
        scene.network.begin(WEATHERS[weather])
        await scene.ask()
        await scene.until(State.IDLE)
        heard = scene.replies()
        waiting = [
            moment.what
            for moment in scene.simulated.moments
            if isinstance(moment.what, Show)
            and moment.what.indication is Indication.THINKING
            and moment.what.detail
        ]
        await scene.simulated.run_for(max(0.0, began + WEATHERS[weather].ends_s - scene.now))
        took_s = await recover(scene)
        await scene.until(State.IDLE)
        assert scene.replies()[-1].ms == REPLY_MS
        gaps = [gap for reply in heard for _, gap in reply.gaps]
        return [
            weather,
            server,
            f"{sum(reply.ms for reply in heard) / 1000:.1f} of {REPLY_MS / 1000:.1f}",
            str(len(gaps)),
            str(max(gaps, default=0)),
            f"{sum(gaps) / 1000:.1f}",
            str(len(waiting)),
            str(scene.sockets - 1),
            f"{took_s:.1f}",
        ]


async def behind(messages: list[str], number: int) -> Row:
    kind = messages[number - 1]
    heard, took_s = await cut_behind((kind, messages[:number].count(kind)), QUESTION)
    played = ", ".join(f"{reply.ms / 1000:.1f}" for reply in heard)
    return [f"{number} of {len(messages)}", kind, played, f"{took_s:.1f}"]


def judged(row: Callable[[], Awaitable[Row]], name: Row, columns: int) -> tuple[Row, bool]:
    """Return the row of one scene, or its error."""
    rows: list[Row] = []

    async def scene() -> None:
        rows.append(await row())

    try:
        run_simulated(scene())
    except (AssertionError, TimeoutError) as error:
        return [*name, f"FAILED: {error}", *[""] * (columns - len(name) - 1)], False
    return rows[0], True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--no-cuts", action="store_true", help="only the weathers")
    args = parser.parse_args()
    logging.disable()  # broken connections are expected here
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    good = True
    table = Table(
        *("weather", "the server sends", "s played", "gaps", "longest ms", "all s"),
        *("shown", "reconnected", "s to recover"),
        title="An answer during network faults, all frames exact",
    )
    for weather in WEATHERS:
        for server in SERVERS:
            row, fine = judged(
                lambda w=weather, s=server: in_weather(w, s),  # type: ignore[misc]
                [weather, server],
                len(table.columns),
            )
            table.add_row(*row)
            good &= fine
    console.print(table)
    if not args.no_cuts:
        good &= cuts(console)
    return 0 if good else 1


def cuts(console: Console) -> bool:
    messages: list[str] = []

    async def record() -> None:
        messages.extend(await recorded(QUESTION))

    run_simulated(record())
    table = Table(
        *("behind message", "", "s played of each answer", "s to recover"),
        title="A cut behind every message of a conversation (an answer, and one interrupted)",
    )
    outcome: Counter[bool] = Counter()
    for number, kind in enumerate(messages, 1):
        row, fine = judged(
            lambda n=number: behind(messages, n),  # type: ignore[misc]
            [f"{number} of {len(messages)}", kind],
            4,
        )
        outcome[fine] += 1
        if not fine or kind != "> input_audio_buffer.append":
            table.add_row(*row)
    console.print(table)
    console.print(f"survived {outcome[True]} of {len(messages)} cuts; appends are not listed")
    return not outcome[False]


if __name__ == "__main__":
    sys.exit(main())
