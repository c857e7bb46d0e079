"""Detect "stop", said alone, while Parley speaks or rings: offline, whatever the duplex.

A small network hears the sound behind the echo canceller while there may be a user in it. Trained
by ``tests/bench/training`` on synthetic voices over answers, music and alarms; MIT licence.
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
BANDS = 40
_RATIO_DB = 30.0  # of the sound over the echo; beyond, it says nothing more
CUTOFF = 2.5  # log-odds
_OWN = 0.65  # similarity of the last second to the answer
_STEPS = 2  # in a row
_WITHIN_S = 1.2  # the word may have interrupted the answer: the rest of it comes in silence
_USER = 0.3  # the probability of a user's voice from which on the network listens ...
_USER_PERIODS = 80  # ... for as long as a word and what the network needs after it
_SURE_USER = 0.85  # mean of the surest quarter of a word's periods: residual echo has less
_WORD_PERIODS = 60
_KEPT = 20  # steps, for the network that begins to listen in the middle of a word
_CATCHES_UP = 2  # steps in a period: all at once take too long


class StopWordFeatures:
    """The features of one stream, period by period: levels of bands, and the sound over the echo.

    The bands are those of microWakeWord: 40 up to 7.5 kHz, without steady noise, and with a gain
    that is controlled in each band. They take 0.01 ms for each period, if nobody has them yet.
    """

    SIZE = BANDS + 1

    def __init__(self) -> None:
        from pymicro_wakeword import MicroWakeWordFeatures  # 0.2 s, before the first period

        self._bands = MicroWakeWordFeatures()
        self._newest = np.zeros(self.SIZE, np.float32)

    def process(
        self, cleaned: Frames, level_dbfs: float, echo_dbfs: float, bands: Floats | None = None
    ) -> Floats:
        """Return the features of a period; the next call changes the array.

        `cleaned`: int16, 160 frames at 16 kHz, behind the canceller; `level_dbfs`: its level.
        `echo_dbfs`: the level of the cancelled echo. `bands`: if the wake-word engine has them.
        """
        if bands is not None:
            self._newest[:BANDS] = bands
        else:
            for computed in self._bands.process_streaming(cleaned.tobytes()):
                self._newest[:BANDS] = computed.ravel()
        self._newest[BANDS] = min(max(level_dbfs - echo_dbfs, -_RATIO_DB), _RATIO_DB)
        return self._newest


class StopWord:
    """Listens while Parley is audible, and shortly after; one `process` for each period."""

    def __init__(self) -> None:
        self._detector = StopWordDetector()
        self._listens = False
        self._until = float("-inf")

    def process(
        self, heard: ProcessedPeriod, now: float, *, audible: bool, bands: Floats | None = None
    ) -> bool:
        """Return whether a user's "stop" has just ended; `now` in monotonic seconds.

        `audible`: Parley speaks or rings, or its answer is held. `bands`: of the period, if the
        wake-word engine has computed them.
        """
        if audible:
            self._until = now + _WITHIN_S
        before, self._listens = self._listens, now < self._until and heard.cancelled
        if not self._listens:
            return False
        if not before:
            self._detector = StopWordDetector()
        return self._detector.process(heard, bands)

    @staticmethod
    def is_users(found: OwnVoice | None) -> bool:
        """Return whether the last second is not what Parley says, which may hold the word, too."""
        return found is None or found.similarity < _OWN


class StopWordDetector:
    """Hears one stretch of sound, from its first period on.

    Until there may be a user in it, it only keeps the features of the last 0.6 s.
    """

    def __init__(self) -> None:
        self._features = StopWordFeatures()
        self._periods = np.zeros((_KEPT * STEP, StopWordFeatures.SIZE), np.float32)
        self._steps = self._periods.reshape(_KEPT, -1)
        self._count = 0
        self._user_periods = 0
        self._user: deque[float] = deque(maxlen=_WORD_PERIODS)
        self._network = RecurrentNetwork(MODEL)
        self._awake = False
        self._heard_steps = 0
        self._sure_steps = 0

    def process(self, heard: ProcessedPeriod, bands: Floats | None) -> bool:
        """Return whether a user's "stop" has just ended; True once for each."""
        row = self._features.process(heard.cleaned, heard.level_dbfs, heard.echo_dbfs, bands)
        self._periods[self._count % len(self._periods)] = row
        self._count += 1
        self._user.append(heard.near_end)
        self._user_periods -= 1
        if heard.near_end > _USER:
            self._user_periods = _USER_PERIODS
        if self._user_periods <= 0:
            self._awake = False
            return False
        complete = self._count // STEP
        if not self._awake:
            self._awake, self._network = True, RecurrentNetwork(MODEL)
            self._heard_steps, self._sure_steps = max(0, complete - _KEPT + 1), 0
        due = range(self._heard_steps, min(self._heard_steps + _CATCHES_UP, complete))
        return any(self._ends(step) for step in due) and self._surely_user()

    def _surely_user(self) -> bool:
        surest = sorted(self._user)[-_WORD_PERIODS // 4 :]
        return sum(surest) > _SURE_USER * len(surest)

    def _ends(self, step: int) -> bool:
        odds = float(self._network.process(self._steps[step % _KEPT])[0])
        self._heard_steps = step + 1
        self._sure_steps = self._sure_steps + 1 if odds > CUTOFF else 0
        return self._sure_steps == _STEPS
