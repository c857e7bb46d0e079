"""A simulated day: four households, each with its own speaker, spread over the cores."""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from parleyd.config import (
    AudioConfig,
    Config,
    HearingConfig,
    PlayoutConfig,
    RealtimeConfig,
    SkillsConfig,
    TurnConfig,
)
from parleyd.units import SERVER_RATE_HZ
from tests.soak.heard import HeardWorld
from tests.soak.hearsay import Unreferenced
from tests.soak.memory import rss_kb, settle, slope_kb_per_hour
from tests.soak.oracle import Violation
from tests.soak.sounds import readable, tones
from tests.soak.world import Figures, World

STEP_H = 0.25  # between two memory measurements
FLAT_KB_PER_HOUR = 300  # in the last third of a life: bounded buffers are full by then
GROWS_BY = 1.5  # largest growth of a container from the first to the second half of a life
SMALL = 300  # containers up to this size may grow: the core stores 256 dead answers and calls


def _house(detection: str, server: str, connection: str = "warm", reaction: str = "hold") -> Config:
    return Config(
        audio=AudioConfig(playback_rate_hz=SERVER_RATE_HZ, boot_chime=False),
        playout=PlayoutConfig(capacity_s=30),
        turn=TurnConfig(detection=detection, max_turn_s=20),  # type: ignore[arg-type]
        realtime=RealtimeConfig(
            server=server,  # type: ignore[arg-type]
            connection=connection,  # type: ignore[arg-type]
            url="ws://paper",
            model="paper",
        ),
        hearing=HearingConfig(on_suspicion=reaction),  # type: ignore[arg-type]
        skills=SkillsConfig(alarm_timeout_s=30),
    )


HOUSES: Mapping[str, Config] = {
    "turns ended here": _house("local", "openai"),
    "turns ended there": _house("server_vad", "openai"),
    "compatible, on wake": _house("server_vad", "compatible", "on-wake", "duck"),
    "answers by itself": _house("server_vad", "xai"),
}

EARS = "real hearing"
HEARD = _house("local", "openai")


@dataclass(frozen=True)
class Life:
    """The result of one household's run."""

    house: str
    seed: int
    figures: Figures
    memory: list[tuple[float, int]]
    """Simulated hours, resident kB."""
    wall_s: float
    problem: str = ""

    @property
    def slope(self) -> float:
        """Growth of resident memory in the last third, in kB per simulated hour."""
        return slope_kb_per_hour(self.warm)

    @property
    def warm(self) -> list[tuple[float, int]]:
        """Seconds and kB of the last third, in which memory should not grow."""
        return [
            (hours * 3600, kb) for hours, kb in self.memory if hours > self.figures.hours * 2 / 3
        ]


def live(house: str, hours: float, seed: int, *, progress: bool = False) -> Life:
    """Run one household; `problem` describes a violation and the command that repeats it."""
    began = time.monotonic()
    memory: list[tuple[float, int]] = []
    reference = "parleyd.hearing.front_end.Reference"
    stand_in = nullcontext() if house == EARS else patch(reference, Unreferenced)
    with readable(tones()), stand_in:
        world = HeardWorld(HEARD, seed) if house == EARS else World(HOUSES[house], seed)
        problem = ""
        while world.figures.hours < hours - 1e-6 and not problem:
            problem = _problem(lambda: world.run(min(STEP_H, hours) * 3600))
            settle()
            memory.append((world.figures.hours, rss_kb()))
            if progress:
                print(_progress(house, world, memory[-1][1]), flush=True)
        if problem:
            events = "\n".join(world.recent)
            problem = (
                f"{problem}\nhouse {house!r}, seed {seed}, at {world.now:.2f} s; last events:\n"
                f"{events}\nrepeat with: python -m tests.soak "
                f"--house '{house}' --seed {seed} --hours {hours:g}"
            )
        else:
            problem = _grown(world.held)
        return Life(house, seed, world.add_up(), memory, time.monotonic() - began, problem)


def run(hours: float, seed: int, jobs: int, houses: Sequence[str], report: Path | None) -> int:
    """Divide the hours among the houses and print each result; returns the exit status."""
    began = time.monotonic()
    each_h = hours / len(houses)
    lives: list[Life] = []
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool:
        started = [
            pool.submit(live, house, each_h, seed + n, progress=True)
            for n, house in enumerate(houses)
        ]
        for life in started:
            lives.append(life.result())
            print(_told(lives[-1]), lives[-1].problem, sep="\n", flush=True)
    problems = [life.problem or _leak(life) for life in lives]
    total = Figures(
        **{f.name: sum(getattr(life.figures, f.name) for life in lives) for f in fields(Figures)}
    )
    took_s = time.monotonic() - began
    print(f"\n{total.hours:.1f} simulated hours in {took_s / 60:.1f} min, {jobs} in parallel")
    for name, value in asdict(total).items():
        print(f"  {name.replace('_', ' '):18} {value:.0f}")
    for problem in filter(None, map(_leak, lives)):
        print(problem)
    if report is not None:
        told = {"total": asdict(total), "lives": [asdict(life) for life in lives]}
        report.write_text(json.dumps({**told, "minutes": took_s / 60}, indent=1) + "\n")
    print("\npassed" if not any(problems) else "\nFAILED")
    return 1 if any(problems) else 0


def _progress(house: str, world: World, kb: int) -> str:
    figures = world.figures
    return (
        f"{house:20} {figures.hours:6.2f} h  {kb / 1024:6.1f} MB  {figures.turns} turns, "
        f"{figures.faults} faults, {figures.calms} calm periods"
    )


def _problem(live_on: Callable[[], None]) -> str:
    try:
        live_on()
    except Violation as violation:
        return str(violation)
    except Exception:  # the rim: an exception of the core is a finding, too
        return traceback.format_exc()
    return ""


def _told(life: Life) -> str:
    hourly = life.memory[3::4] or life.memory
    rss = " ".join(f"{kb / 1024:.1f}" for _, kb in hourly)
    return (
        f"{life.house}: {life.figures.hours:.1f} h in {life.wall_s / 60:.1f} min, "
        f"seed {life.seed}; resident MB each hour: {rss}; {life.slope:+.0f} kB per hour"
    )


def _leak(life: Life) -> str:
    if len(life.warm) >= 6 and life.slope > FLAT_KB_PER_HOUR:
        return f"{life.house}: memory grows by {life.slope:.0f} kB per hour"
    return ""


def _grown(held: Sequence[Mapping[str, int]]) -> str:
    """Return the first container that stays larger in the second half than in the first half."""
    half = len(held) // 2
    if half < 4:
        return ""
    paths = {path for sizes in held for path in sizes}
    for path in sorted(paths):
        first = max(sizes.get(path, 0) for sizes in held[:half])
        second = min(sizes.get(path, 0) for sizes in held[half + half // 2 :])
        if second > SMALL and second > GROWS_BY * first:
            return f"{path} holds at least {second} items, but at most {first} in the first half"
    return ""
