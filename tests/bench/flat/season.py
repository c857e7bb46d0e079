"""Some days in one flat: calls by which the speakers learn, then calls that count."""

from collections.abc import Sequence
from dataclasses import dataclass

from parleyd.units import Frames
from tests.bench.flat.air_broker import Way
from tests.bench.flat.household import Household, Outcome
from tests.bench.flat.plan import Call, at_microphones, calls, furnish

USUAL_WAY = Way(20.0, 0.05)
"""The way over the broker with which the real cores run."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that counts, and its outcome with the real cores."""

    call: Call
    outcome: Outcome

    @property
    def heard_right(self) -> bool:
        """A right speaker heard it."""
        return any(found.speaker in self.call.right for found in self.outcome.detections)

    @property
    def contested(self) -> bool:
        """Several speakers heard it, one of the right ones among them."""
        return len(self.outcome.detections) > 1 and self.heard_right

    @property
    def disputed(self) -> bool:
        """A right and a wrong speaker heard it."""
        wrong = any(found.speaker not in self.call.right for found in self.outcome.detections)
        return wrong and self.heard_right


def season(
    rooms: int, clips: Sequence[Frames], seed: int, warm_up: int, count: int, way: Way = USUAL_WAY
) -> list[Called]:
    """Return the calls that count; the same arguments give the same."""
    plan = furnish(rooms, seed)
    household = Household(rooms, way)
    try:
        found = []
        for call in calls(rooms, warm_up + count, len(clips), seed):
            sounds = at_microphones(plan, call, clips[call.clip])
            found.append(Called(call, household.call(sounds, call.seed)))
    finally:
        household.close()
    return found[warm_up:]
