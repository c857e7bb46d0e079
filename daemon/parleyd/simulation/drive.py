"""Advance simulated time at a chosen pace while an event loop does real work."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from parleyd.core.events import Effect
from parleyd.simulation.card import SimulatedCard
from parleyd.units import PERIOD_MS

REAL_TIME = 1.0
"""Real time: a simulated second takes a real second, for as long as a server's clock matters."""

UNLIMITED = math.inf
"""Unlimited: a simulated second takes only its computing time."""


async def drive(
    card: SimulatedCard,
    *,
    until: Callable[[], bool],
    pace: Callable[[], float],
    on_effects: Callable[[Sequence[Effect]], None],
    longest_s: float = 600.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Step `card` until `until()` holds; return False after `longest_s` simulated seconds.

    `pace` returns the speed-up for the next period (`REAL_TIME`, a factor, or `UNLIMITED`).
    `on_effects` receives the core's effects, if any. After every period, control returns to
    the event loop, and the simulation sleeps if it is ahead. If it is behind, it never catches
    up, because a server that answers in real time must not receive a burst.
    """
    end_s = card.now + longest_s
    due = clock()
    while not until():
        if card.now >= end_s:
            return False
        speed_up = pace()
        effects = card.step()
        if effects:
            on_effects(effects)
        now = clock()
        due = max(due + PERIOD_MS / 1000 / speed_up, now)
        await sleep(due - now)
    return True
