"""Lets simulated time pass at a chosen pace while an event loop does real work."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from parleyd.core.events import Effect
from parleyd.simulation.card import SimulatedCard
from parleyd.units import PERIOD_MS

LIFE = 1.0
"""The pace at which a simulated second takes a real one: while somebody else's clock matters."""

FREE = math.inf
"""The pace at which a simulated second takes as long as it takes to compute."""


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
    """Step `card` until `until()` holds; False when `longest_s` simulated seconds were not enough.

    `pace` is asked before every period for the speed-up that it may run at
    (`LIFE`, some factor, `FREE`). `on_effects` gets what the core asked for,
    where that is anything. After every period the loop gets its turn, and time to
    sleep when the simulation is ahead. A simulation that is behind never hurries
    to make up for it: a server that answers in real time must not meet a rush.
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
