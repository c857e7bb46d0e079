"""How well users can interrupt: from the levels of reply and user at the microphone. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from parleyd.calibration.figures import SweepFigures

USER_DBFS = -38.0  # the level of a user at a distance of two metres, if no word was said
GOOD_DB = 10.0  # echo over user: up to here nearly all interruptions work
FAIR_DB = 15.0
_OVER_DB, _INTERRUPTED = (0.0, 10.0, 15.0, 20.0), (0.94, 0.95, 0.81, 0.65)
"""The share of users who interrupt within 800 ms by echo over user: tests/bench/hearing/README.md,
384 users. Above 20 dB it was not measured, and the line continues."""
_LOST_PER_DB = 0.032
_RELIABLE_DB = 3.0  # echo over noise
_STEP = 5  # percent


class EchoLevels:
    """The level of a reply at each volume, between and beyond the measured ones."""

    def __init__(self, sweeps: Sequence[SweepFigures]) -> None:
        """At least one of the sweeps must be `reliable`."""
        levels: dict[int, list[float]] = {}
        for sweep in reliable(sweeps):
            levels.setdefault(sweep.volume, []).append(sweep.reply_dbfs)
        self._volumes = sorted(levels)
        self._dbfs = [sum(levels[volume]) / len(levels[volume]) for volume in self._volumes]

    def at(self, volume: int) -> float:
        """The level of a reply at this volume, 1 to 100 percent."""
        db = 40 * math.log10(max(volume, 1))  # loudness is the square of volume
        known = [40 * math.log10(volume) for volume in self._volumes]
        if db <= known[0]:
            return self._dbfs[0] + db - known[0]
        if db >= known[-1]:
            return self._dbfs[-1] + db - known[-1]
        return float(np.interp(db, known, self._dbfs))

    def loudest_below(self, dbfs: float, most: int) -> int:
        """The highest volume, a multiple of 5 up to `most`, whose replies stay under a level; 0."""
        volumes = range(most - most % _STEP, 0, -_STEP)
        return next((volume for volume in volumes if self.at(volume) <= dbfs), 0)


def reliable(sweeps: Sequence[SweepFigures]) -> list[SweepFigures]:
    """The sweeps whose echo has a level."""
    return [sweep for sweep in sweeps if sweep.heard and sweep.over_noise_db >= _RELIABLE_DB]


class Chance(NamedTuple):
    """How often an interruption works."""

    share: float
    words: str


def chance(over_user_db: float) -> Chance:
    """Return it for an echo that is louder than the user by this, in dB."""
    share = float(np.interp(over_user_db, _OVER_DB, _INTERRUPTED))
    share = max(0.0, share - _LOST_PER_DB * max(0.0, over_user_db - _OVER_DB[-1]))
    for least, words in _WORDS:
        if share >= least:
            return Chance(share, words)
    return Chance(share, "hardly any interruption works")


_WORDS = (
    (0.9, "nearly every interruption works"),
    (0.75, "about four of five interruptions work"),
    (0.6, "about two of three interruptions work"),
    (0.35, "about every second interruption works"),
)
