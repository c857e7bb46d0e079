"""The same calls under other conditions: only the arbitration, fed with recorded detections."""

from collections.abc import Callable, Sequence

from parleyd.core.arbitration import Arbitration, Ruling
from parleyd.core.events import WakeClaimed
from parleyd.core.usual_level import NOMINAL_DBFS
from tests.bench.flat.air_broker import AirBroker, Way
from tests.bench.flat.household import PERIOD_S, Detection

LASTS_S = 1.0  # after the last detection

Level = Callable[[Detection], float]
"""The level of a detection that is compared with those of others, dB."""


def learned(detection: Detection) -> float:
    """Return the level over that which is usual at the speaker."""
    return detection.level_dbfs - detection.usual_dbfs


def raw(detection: Detection) -> float:
    """Return the level as the microphone has it."""
    return detection.level_dbfs - NOMINAL_DBFS


def broad(detection: Detection) -> float:
    """Return the level in all frequencies, as the microphone has it."""
    return detection.broad_dbfs


def over_noise(detection: Detection) -> float:
    """Return the level over the room's noise."""
    return detection.broad_dbfs - detection.noise_dbfs


def arbitrated(
    detections: Sequence[Detection], rooms: int, way: Way, seed: int, level: Level = learned
) -> tuple[int, ...]:
    """Return the speakers that answer, by Parley's rule."""
    broker = AirBroker(rooms, way, seed)
    members = {found.speaker: (found, Arbitration()) for found in detections}
    answers: set[int] = set()
    last = max(found.at_s for found in detections)
    for period in range(round((last + LASTS_S) / PERIOD_S)):
        now = round((period + 1) * PERIOD_S, 4)
        for number, (found, member) in sorted(members.items()):
            for heard in broker.due(number, now):
                member.hear(heard.speaker, heard.claim, heard.age_ms / 1000, now)
            ruling = None
            if now == found.at_s:
                ruling = member.detect(f"{number:08x}-1", level(found), now)
                answers.add(number)
            ruling = member.poll(now) or ruling
            if ruling is Ruling.STAND_DOWN:
                answers.discard(number)
            for claim in member.to_publish:
                broker.publish(number, WakeClaimed(claim, member.detected), now)
            member.to_publish.clear()
    return tuple(sorted(answers))


def first(detections: Sequence[Detection]) -> tuple[int, ...]:
    """Return the speaker that detected first: what a central server sees without any delay."""
    return (min(detections, key=lambda found: (found.at_s, found.speaker)).speaker,)


def loudest(detections: Sequence[Detection], level: Level) -> tuple[int, ...]:
    """Return the loudest speaker, whenever it detected: what a server sees that waits for all."""
    return (max(detections, key=level).speaker,)
