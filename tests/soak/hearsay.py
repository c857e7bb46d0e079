"""A stand-in for the costly part of hearing: it is told who speaks, and is as sure as the real one.

The canceller with its reference, the voice detector and the classifier are replaced; pre-roll,
wake-word gate, barge-in decision, end of turn and duplex judgement are the real ones.
"""

from random import Random

import numpy as np

from parleyd.hearing import HeardPeriod
from parleyd.units import MIC_PERIOD_FRAMES, Frames

_NOTHING = np.zeros(MIC_PERIOD_FRAMES, np.int16)
_VOICE = (8000 * np.sin(np.arange(MIC_PERIOD_FRAMES) * 0.3)).astype(np.int16)


def _heard(cleaned: Frames, score: float, sure: float, chunk: bool, talker: float) -> HeardPeriod:
    level_dbfs = -25.0 if cleaned.any() else -60.0
    return HeardPeriod(cleaned, score, sure, chunk, talker, sure, level_dbfs, -50.0)


_SILENCE = [_heard(_NOTHING, 0.0, 0.02, chunk, 0.02) for chunk in (False, True)]
_SPEECH = [_heard(_VOICE, 10.0, 0.95, chunk, 0.95) for chunk in (False, True)]
_COUGH = [_heard(_VOICE, 8.0, 0.1, chunk, 0.9) for chunk in (False, True)]


class Hearsay:
    """In the place of `parleyd.hearing.echo_control.Hearing`; told by `speaks` and `coughs`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._periods = 0
        self.speaks = False
        self.coughs = False

    def process(
        self, mic: Frames, reference: Frames, now: float, *, attentive: bool = True
    ) -> HeardPeriod:
        """What is heard in this period: what was told, with doubts while somebody speaks."""
        self._periods += 1
        chunk = self._periods % 3 == 0
        if self.speaks:
            return (_SPEECH if self._random.random() < 0.95 else _SILENCE)[chunk]
        return (_COUGH if self.coughs else _SILENCE)[chunk]

    def listen_anew(self) -> None:
        """It remembers nothing anyway."""

    def glitch(self, now: float) -> None:
        """The card lost frames."""

    def dropped(self, frames: int) -> None:
        """The canceller's reference was thrown away."""

    def memory(self) -> None:
        """There is nothing worth keeping over a restart."""


class Unreferenced:
    """Has the interface of `parleyd.hearing.reference.Reference`; nobody here cancels an echo."""

    slipped = False

    def __init__(self, device_rate_hz: int, primed_frames: int = 0) -> None:
        pass

    def written(self, frames: Frames) -> None:
        """These go to the loudspeaker next."""

    def dropped(self, queued_frames: int) -> int:
        """So many never will."""
        return 0

    def take(self) -> Frames:
        """What was played in a period."""
        return _NOTHING
