import asyncio
from collections.abc import Callable, Sequence

from parleyd.core.events import Effect, LogEvent
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.drive import REAL_TIME, UNLIMITED, drive
from parleyd.simulation.talker import Talker
from parleyd.units import SILENCE
from tests.simulation.players import Player


class Wall:
    """A wall clock that advances only during sleeps and by the given work time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def run(
    until_s: float,
    pace: Callable[[SimulatedCard], float],
    work: Callable[[SimulatedCard], float] = lambda card: 0.0,
    longest_s: float = 60.0,
) -> tuple[bool, SimulatedCard, Wall, list[Effect]]:
    """Drive a card to `until_s`; every period's work takes `work` seconds of wall time."""
    wall, effects = Wall(), list[Effect]()
    core = Player(SILENCE, drop_when=lambda now: now == 0.1)
    card = SimulatedCard(core, Room(noise="silence"), Talker())

    def on_effects(some: Sequence[Effect]) -> None:
        effects.extend(some)

    def busy_pace() -> float:
        wall.now += work(card)
        return pace(card)

    reached = asyncio.run(
        drive(
            card,
            until=lambda: card.now >= until_s,
            pace=busy_pace,
            on_effects=on_effects,
            longest_s=longest_s,
            clock=wall.clock,
            sleep=wall.sleep,
        )
    )
    return reached, card, wall, effects


def close(a: float, b: float) -> bool:
    return abs(a - b) < 1e-6


def test_drive_in_real_time_takes_a_second_per_second() -> None:
    reached, card, wall, effects = run(1.0, lambda _: REAL_TIME, lambda _: 0.004)
    assert reached
    assert close(card.now, 1.0)
    assert close(wall.now, 101.0)
    assert effects == [LogEvent("dropped", {"queued": 0})]


def test_drive_unlimited_never_waits_but_always_yields() -> None:
    _, _, wall, _ = run(1.0, lambda _: UNLIMITED)
    assert wall.slept == [0.0] * 100


def test_drive_pace_may_change_with_every_period() -> None:
    _, _, wall, _ = run(
        3.0, lambda card: 1.0 if card.now < 1.0 else 20.0 if card.now < 2.0 else UNLIMITED
    )
    assert close(wall.now, 101.05)


def test_drive_after_a_delay_does_not_catch_up() -> None:
    def one_hiccup(card: SimulatedCard) -> float:
        return 0.5 if close(card.now, 0.3) else 0.0

    _, _, wall, _ = run(1.0, lambda _: REAL_TIME, one_hiccup)
    assert close(wall.now, 101.49)
    assert sum(seconds < 0.009 for seconds in wall.slept) == 1


def test_drive_returns_false_at_its_limit() -> None:
    reached, card, _, _ = run(1e9, lambda _: UNLIMITED, longest_s=2.0)
    assert not reached
    assert close(card.now, 2.0)


def test_drive_lets_other_tasks_run() -> None:
    async def both() -> int:
        card = SimulatedCard(Player(SILENCE), Room(noise="silence"), Talker())
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await drive(
            card,
            until=lambda: card.now >= 0.5,
            pace=lambda: UNLIMITED,
            on_effects=lambda effects: None,
        )
        task.cancel()
        return turns

    assert asyncio.run(both()) >= 50
