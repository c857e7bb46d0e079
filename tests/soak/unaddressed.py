"""The daemon's acts while no user spoke: from its log and the times of the users' words."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

AFTER_S = 1.5  # a decision about the last word follows within this time ...
TURN_AFTER_S = 4.0  # ... and so does the end of its turn
_EVENT = re.compile(r"^(\S+ \S+),(\d{3}) \S+ +\S+ (hold|resume|interrupt|state) ?(.*)", re.M)


class Spoken(NamedTuple):
    """The time of one utterance of a user, in seconds of `time.time()`."""

    begin: float
    end: float


def unaddressed(log: str, spoken: Sequence[Spoken]) -> dict[str, int]:
    """Return how often the daemon held and interrupted answers, and ended turns, without a user."""
    found: Counter[str] = Counter()
    for day, millis, event, fields in _EVENT.findall(log):
        at = time.mktime(time.strptime(day, "%Y-%m-%d %H:%M:%S")) + int(millis) / 1000
        if event == "state":
            ended = "before=listening after=thinking" in fields
            found["turns"] += ended and not _during(at, spoken, TURN_AFTER_S)
        elif event in ("hold", "interrupt"):
            found[f"{event}s"] += not _during(at, spoken, AFTER_S)
    return {name: found[name] for name in ("holds", "interrupts", "turns")}


def _during(at: float, spoken: Sequence[Spoken], after_s: float) -> bool:
    return any(begin <= at <= end + after_s for begin, end in spoken)
