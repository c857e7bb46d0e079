"""A broker in simulated time: delay, jitter and loss on the way to each speaker."""

from dataclasses import dataclass

import numpy as np

from parleyd.core.events import WakeClaimed
from parleyd.core.group_events import ClaimHeard

JITTER = 0.25  # of the delay, in both directions


@dataclass(frozen=True, slots=True)
class Way:
    """The way from one speaker to another."""

    delay_ms: float
    loss: float = 0.0


class AirBroker:
    """Delivers claims; `now` in simulated seconds. QoS 0: a lost claim stays lost."""

    def __init__(self, members: int, way: Way, seed: int) -> None:
        self._members, self._way = members, way
        self._random = np.random.default_rng((seed, 3))
        self._waiting: list[tuple[float, int, ClaimHeard]] = []
        self._free = np.zeros((members, members))  # messages of one sender stay in order

    def publish(self, sender: int, claimed: WakeClaimed, now: float) -> None:
        """Send the claim of a speaker to all others."""
        age_ms = round((now - claimed.detected) * 1000)
        for taker in range(self._members):
            if taker == sender or self._random.random() < self._way.loss:
                continue
            delay_s = self._way.delay_ms / 1000 * self._random.uniform(1 - JITTER, 1 + JITTER)
            at = max(now + delay_s, self._free[sender, taker])
            self._free[sender, taker] = at
            self._waiting.append((at, taker, ClaimHeard(str(sender), claimed.claim, age_ms)))

    def due(self, taker: int, now: float) -> list[ClaimHeard]:
        """Take the claims that have arrived at a speaker."""
        arrived = sorted(
            (m for m in self._waiting if m[1] == taker and m[0] <= now), key=lambda m: m[0]
        )
        self._waiting = [m for m in self._waiting if m not in arrived]
        return [heard for _, _, heard in arrived]
