"""Detect "stop", said alone, while Parley speaks or rings: offline, whatever the duplex.

A small network hears the sound behind the echo canceller. Trained by ``tests/bench/training`` on
synthetic voices over answers, music and alarms; MIT licence.
"""

from collections import deque
from pathlib import Path

import numpy as np

from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.own_voice import OwnVoice
from parleyd.hearing.recurrent import RecurrentNetwork
from parleyd.units import Floats, Frames

STEP = 3
"""Periods between two answers of the network, which takes their features together."""

MODEL = Path(__file__).parent / "models" / "stop_word.npz"
_BANDS = 40
_RATIO_DB = 30.0  # of the sound over the echo; beyond, it says nothing more
CUTOFF = 3.0  # log-odds
_OWN = 0.65  # similarity of the last second to the answer
_STEPS = 2  # in a row
_WITHIN_S = 1.2  # the word may have interrupted the answer: the rest of it comes in silence
_USER_PERIODS = 80  # a word and the time that the network needs after it
_USER = 0.3  # the least probability that any of that is a user's voice


class StopWordFeatures:
    """The features of one stream, period by period: levels of bands, and the sound over the echo.

    The bands are those of microWakeWord: 40 up to 7.5 kHz, without steady noise, and with a gain
    that is controlled in each band. They take 0.01 ms for each period.
    """

    SIZE = _BANDS + 1

    def __init__(self) -> None:
        from pymicro_wakeword import MicroWakeWordFeatures  # 0.2 s, before the first period

        self._bands = MicroWakeWordFeatures()
        self._newest = np.zeros(self.SIZE, np.float32)

    def process(self, cleaned: Frames, level_dbfs: float, echo_dbfs: float) -> Floats:
        """Return the features of a period; the next call changes the array.

        `cleaned`: int16, 160 frames at 16 kHz, behind the canceller; `level_dbfs`: its level.
        `echo_dbfs`: the level of the cancelled echo.
        """
        for bands in self._bands.process_streaming(cleaned.tobytes()):
            self._newest[:_BANDS] = bands.ravel()
        self._newest[_BANDS] = min(max(level_dbfs - echo_dbfs, -_RATIO_DB), _RATIO_DB)
        return self._newest


class StopWordNetwork:
    """The log-odds that the word has just ended; one `process` per period, in order."""

    def __init__(self) -> None:
        self._features = StopWordFeatures()
        self._network = RecurrentNetwork(MODEL)
        self._step = np.zeros((STEP, StopWordFeatures.SIZE), np.float32)
        self._periods = 0

    def process(self, cleaned: Frames, level_dbfs: float, echo_dbfs: float) -> float | None:
        """Return the log-odds at the end of a step; None within it."""
        number = self._periods % STEP
        self._periods += 1
        self._step[number] = self._features.process(cleaned, level_dbfs, echo_dbfs)
        if number < STEP - 1:
            return None
        return float(self._network.process(self._step.ravel())[0])


class StopWord:
    """Listens while Parley is audible, and shortly after; one `process` for each period."""

    def __init__(self) -> None:
        self._detector = StopWordDetector()
        self._listens = False
        self._until = float("-inf")

    def process(self, heard: ProcessedPeriod, now: float, *, audible: bool) -> bool:
        """Return whether a user's "stop" has just ended; `now` in monotonic seconds.

        `audible`: Parley speaks or rings, or its answer is held.
        """
        if audible:
            self._until = now + _WITHIN_S
        before, self._listens = self._listens, now < self._until and heard.cancelled
        if not self._listens:
            return False
        if not before:
            self._detector = StopWordDetector()
        return self._detector.process(heard)

    @staticmethod
    def is_users(found: OwnVoice | None) -> bool:
        """Return whether the last second is not what Parley says, which may hold the word, too."""
        return found is None or found.similarity < _OWN


class StopWordDetector:
    """Hears one stretch of sound, from its first period on."""

    def __init__(self) -> None:
        self._network = StopWordNetwork()
        self._sure_steps = 0
        self._user: deque[float] = deque(maxlen=_USER_PERIODS)

    def process(self, heard: ProcessedPeriod) -> bool:
        """Return whether a user's "stop" has just ended; True once for each."""
        self._user.append(heard.near_end)
        odds = self._network.process(heard.cleaned, heard.level_dbfs, heard.echo_dbfs)
        if odds is None:
            return False
        self._sure_steps = self._sure_steps + 1 if odds > CUTOFF else 0
        return self._sure_steps == _STEPS and max(self._user) > _USER
