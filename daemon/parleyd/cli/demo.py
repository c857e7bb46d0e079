"""`parley demo`: a conversation in a simulated room; everything else is real."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from parleyd.config import Config
from parleyd.demo import report
from parleyd.demo.narrator import Narrator
from parleyd.demo.scenes import SCENES, Scene
from parleyd.demo.stage import Stage
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.errors import SceneError
from parleyd.printable import printable
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.drive import REAL_TIME
from parleyd.simulation.simulated_speaker import SimulatedSpeaker, Timestamped
from parleyd.wake import factory as wake

CONNECTED_WITHIN_S = 20.0
PLAIN_WIDTH = 110  # columns if the output is a file
ECHO_GAIN_DB = -12.0  # a loudspeaker in the same case as the microphone
FASTER = 8.0  # while the server's time does not matter; about the limit of one core


@click.command()
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-report"),
    show_default=True,
    help="The folder for room.wav, timeline.png and report.json.",
)
@click.option("--real-time", is_flag=True, help="Run in real time.")
@click.option("--seed", default=1, show_default=True, help="Select another room and noise.")
@click.option(
    "--echo-db",
    type=click.FloatRange(-60, 0),
    default=ECHO_GAIN_DB,
    show_default=True,
    help="Level of the echo at the microphone, relative to the played level.",
)
def demo(folder: Path, real_time: bool, seed: int, echo_db: float) -> None:
    """Watch and hear a conversation in a simulated room.

    A simulated talker wakes Parley, asks, interrupts, coughs and says stop. Wake-word engine,
    WebSocket, embedded server, recognition, synthesis and the whole core are real.
    Exits with status 1 if a scene fails.
    """
    report.check_tools()
    room = {"seed": seed, "echo_gain_db": echo_db}
    passed = asyncio.run(_Demo(folder, REAL_TIME if real_time else FASTER, room).run())
    raise SystemExit(0 if passed else 1)


class _Demo:
    """One run of the demo, from the server's start to the report."""

    def __init__(self, folder: Path, faster: float, conditions: dict[str, float]) -> None:
        self._folder = folder
        self._faster = faster
        self._conditions = conditions
        self._console = Console(highlight=False, width=None if _in_terminal() else PLAIN_WIDTH)
        self._played: list[report.SceneResult] = []

    async def run(self) -> bool:
        """Play all scenes, print and write the results; return whether all passed."""
        server = EmbeddedServer()
        try:
            simulated = self._simulated(ServerAddress.embedded(await server.start()))
            async with simulated.connected():
                outcome = await self._play(simulated)
        finally:
            await server.stop()
        self._console.print()
        self._console.print(report.table(outcome))
        paths = await asyncio.to_thread(report.write, outcome, simulated, self._folder)
        for path in paths:
            self._console.print(printable(str(path)), soft_wrap=True, markup=False)
        self._console.print(self._decision(outcome))
        return outcome.passed

    def _simulated(self, address: ServerAddress) -> SimulatedSpeaker:
        settings = Config()
        # its tone would count as sound after an interruption
        silent = msgspec.structs.replace(settings.earcons, follow_up="")
        settings = msgspec.structs.replace(settings, earcons=silent)
        room = Room(
            seed=int(self._conditions["seed"]),
            echo_gain_db=self._conditions["echo_gain_db"],
            loudspeaker_rate_hz=settings.audio.playback_rate_hz,
        )
        engine = wake.create(settings.wake, None)
        return SimulatedSpeaker(settings, address, engine, room=room, faster=self._faster)

    async def _play(self, simulated: SimulatedSpeaker) -> report.DemoResult:
        stage = Stage(simulated, lambda words: narrator.says(words))
        narrator = Narrator(self._console, simulated, stage.answers)

        def watch(moment: Timestamped[Any]) -> None:
            stage.answers.take(moment)
            narrator.take(moment)

        simulated.on_moment = watch
        narrator.introduction()
        started = time.monotonic()
        for number, scene in enumerate(SCENES, start=1):
            narrator.scene(number, scene.title)
            played = await _play(scene, stage)
            self._played.append(played)
            if not played.passed:
                self._console.print(
                    Text(f"   FAILED: {printable(played.reason)}", style="bold red")
                )
                break
        return report.DemoResult(
            scenes=self._played,
            planned=len(SCENES),
            wall_s=time.monotonic() - started,
            simulated_s=simulated.recording.duration_s,
            conditions=self._conditions,
        )

    def _decision(self, outcome: report.DemoResult) -> Text:
        if outcome.passed:
            return Text(f"All {outcome.planned} scenes passed.", style="bold green")
        failed = outcome.scenes[-1]
        return Text(
            f"Scene {len(outcome.scenes)} of {outcome.planned} ({failed.name}) failed: "
            f"{printable(failed.reason)}",
            style="bold red",
        )


async def _play(scene: Scene, stage: Stage) -> report.SceneResult:
    begins_s = stage.now
    try:
        await stage.until_ready(within_s=CONNECTED_WITHIN_S)
        figures, reason = await scene.play(stage), ""
    except SceneError as error:
        figures, reason = (), str(error)
    return report.SceneResult(scene.name, scene.title, begins_s, stage.now, figures, reason)


def _in_terminal() -> bool:
    return sys.stdout.isatty()
