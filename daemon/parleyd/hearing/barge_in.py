"""The decision whether somebody is talking into Parley's speech. React first, decide second.

Stage 1, suspicion: the classifier hears a user through the echo. Quick (some
ten periods), wrong now and then; costs a short hold. Stage 2, confirmation: the
voice detector and the classifier agree while the loudspeaker is quiet, or the classifier
is sure for a while, or what it hears still goes on at the end of the window, well over noise
and echo. Slower, and what ends the answer. Every verdict carries its
reason and the numbers that it rests on.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

from parleyd import config
from parleyd.hearing import HeardPeriod
from parleyd.units import PERIOD_MS

THRESHOLD = 0.6  # probability of a user: see `python -m tests.bench.hearing --curve`
HITS = 2  # of the last WINDOW periods: one is a click
WINDOW = 3
# Voice detector and classifier must agree, for a plate deceives the one and echo the other:
_CLEAR = (0.5, 0.7)  # a clear chunk of 32 ms is what either calls speech ...
_LIKELY = (0.15, 0.9)  # ... and a likely one half of that: the detector misses far talkers
_ENOUGH = 2.0  # clear chunks; one can be a knock
# At the end of the window half of that is enough if he still speaks, well over noise and echo:
# knocks and coughs are over, and dishes that sound like a voice are no louder than the kitchen.
_HALF_ENOUGH, _STILL_SPEAKS, _WELL_OVER_NOISE = 1.0, 0.7, 3.0
_SPEAKS_PERIODS = 15  # who did so for so long needs no other proof: Silero is late with some voices
# Or the classifier nearly alone, if it says so all the time: Silero misses whom noise covers.
_SURE, _SURE_PERIODS = 0.9, 15
_TRACE = 0.1  # of a voice; what has none at all is no user, however sure the classifier
_FADED_DB = 15.0  # below its loudest, a voice is over: both detectors remember it for 0.1 s more
_NOTHING_DBFS = -120.0
_IGNORE_S = {"duck": 0.10, "hold": 0.06}  # a silenced loudspeaker still rings in the room
_RUNG_OUT_DB = 3.0  # what is heard is more than what may be left of the echo
_PENALTY = 1.5  # log-odds added to the threshold by a false alarm ...
_PENALTY_DECAY_S = 4.0  # ... and forgotten in this time
_PENALTY_MOST = 3.0  # a rattling kitchen must not make Parley deaf to a loud user
_ONSET_SCORE = 0.3  # speech begins where the score leaves the ground, before it is suspicious
_ONSET_GAP = 3  # periods below that still belong to the same onset
_ONSET_REACH = 30  # 300 ms: no onset is looked for further back


class Kind(Enum):
    """What a verdict asks for."""

    SUSPECT = "suspect"
    """Hold or duck at once; a second verdict follows within `confirm_ms`."""

    CONFIRM = "confirm"
    """The user speaks: give up the rest of the answer."""

    REJECT = "reject"
    """It was nothing: go on where the answer was held."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision with its grounds."""

    kind: Kind
    reason: str
    onset: float
    """When the suspected speech began, estimated, on the clock of `now`."""

    numbers: dict[str, float]


class BargeIn:
    """Two-stage decision; pure: time is an argument, one `update` a period."""

    def __init__(self, settings: config.Hearing) -> None:
        self._enabled = settings.barge_in
        self._confirm_s = settings.confirm_ms / 1000
        self._holds = settings.reaction == "hold"
        self._ignore_s = _IGNORE_S[settings.reaction]
        self._scores: deque[float] = deque(maxlen=_ONSET_REACH)
        self._talkers: deque[float] = deque(maxlen=WINDOW)
        self._penalty = 0.0
        self._penalised_at = 0.0
        self.onset = 0.0
        """When the newest suspected speech began, estimated, on the clock of `now`."""
        self.disarm()

    @property
    def pending(self) -> bool:
        """A suspicion waits for its second verdict."""
        return self._suspected_at is not None

    def arm(self, now: float) -> None:
        """Parley begins to speak: suspect from now on (unless barge-in is configured off)."""
        self.disarm()
        self._scores.clear()
        self._talkers.clear()
        self._armed = self._enabled

    def linger(self) -> None:
        """The reply is over: judge on, as if it still played, who began to speak in it."""
        self._armed = True

    def disarm(self) -> None:
        """Parley stops to speak: no more verdicts; a pending suspicion is forgotten."""
        self._armed = False
        self._suspected_at: float | None = None
        self._evidence = 0.0
        self._surest = 0.0
        self._sure_periods = self._speaks_periods = 0
        self._loudest_dbfs = _NOTHING_DBFS

    def update(self, heard: HeardPeriod, now: float) -> Verdict | None:
        """Judge the period that ended at `now`; at most one verdict."""
        if not self._armed:
            return None
        if self._suspected_at is not None:
            return self._decide(heard, now, self._suspected_at)
        return self._suspect(heard, now)

    def threshold(self, now: float) -> float:
        """The probability of a voice that is suspicious at this moment."""
        age = (now - self._penalised_at) / _PENALTY_DECAY_S
        raised = max(0.0, self._penalty * (1 - age))
        return 1 / (1 + math.exp(-_log_odds(THRESHOLD) - raised))

    def _suspect(self, heard: HeardPeriod, now: float) -> Verdict | None:
        self._scores.append(heard.score)
        self._talkers.append(heard.talker if heard.trusted else 0.0)
        threshold = self.threshold(now)
        if sum(talker > threshold for talker in self._talkers) < HITS:
            return None
        self._suspected_at = now
        self._loudest_dbfs = heard.level_dbfs if _over_echo(heard) else _NOTHING_DBFS
        self.onset = now - self._onset_periods() * PERIOD_MS / 1000
        self._evidence = 0.0
        self._surest = 0.0
        self._sure_periods = self._speaks_periods = 0
        return Verdict(
            Kind.SUSPECT,
            "sounds like a user",
            self.onset,
            {
                "talker": max(self._talkers),
                "threshold": threshold,
                "score": heard.score,
                "voice": heard.voice,
                "level_dbfs": heard.level_dbfs,
                "echo_dbfs": heard.echo_dbfs,
            },
        )

    def _decide(self, heard: HeardPeriod, now: float, suspected_at: float) -> Verdict | None:
        waited_s = round(now - suspected_at, 4)  # a deadline must not slip by a rounding error
        over_echo = _over_echo(heard)
        rung_out = over_echo or not self._holds  # a ducked reply goes on
        if over_echo:
            self._loudest_dbfs = max(self._loudest_dbfs, heard.level_dbfs)
        sounds = heard.level_dbfs > self._loudest_dbfs - _FADED_DB
        counts = rung_out and sounds and waited_s >= self._ignore_s
        if counts and heard.voice_chunk:
            self._surest = max(self._surest, heard.voice)
            self._evidence += _evidence(heard)
        self._sure_periods = self._sure_periods + 1 if counts and heard.speech > _SURE else 0
        speaks = heard.speech > _STILL_SPEAKS and heard.score > _WELL_OVER_NOISE
        self._speaks_periods += counts and speaks
        numbers = {
            "waited_ms": round(waited_s * 1000, 1),
            "evidence": self._evidence,
            "speaks_ms": self._speaks_periods * PERIOD_MS,
            "voice": self._surest,
            "speech": heard.speech,
            "score": heard.score,
        }
        sure = self._sure_periods >= _SURE_PERIODS and self._surest > _TRACE
        over = waited_s >= self._confirm_s
        still = over and speaks
        enough = _HALF_ENOUGH if still else _ENOUGH
        reason = ""
        if self._evidence >= enough or sure:
            reason = "a voice while the loudspeaker is quiet"
        elif still and self._speaks_periods >= _SPEAKS_PERIODS:
            reason = "still talks, well over noise and echo"
        if reason:
            self.disarm()
            return Verdict(Kind.CONFIRM, reason, self.onset, numbers)
        if not over:
            return None
        age = (now - self._penalised_at) / _PENALTY_DECAY_S
        left = max(0.0, self._penalty * (1 - age))
        self._suspected_at = None
        self._scores.clear()
        self._talkers.clear()
        self._penalty = min(left + _PENALTY, _PENALTY_MOST)
        self._penalised_at = now
        return Verdict(Kind.REJECT, "no voice within the window", self.onset, numbers)

    def _onset_periods(self) -> int:
        """How many periods ago the score left the ground."""
        onset = 0
        for age, score in enumerate(reversed(self._scores), start=1):
            if score > _ONSET_SCORE:
                onset = age
            elif age - onset > _ONSET_GAP:
                break
        return onset


def _over_echo(heard: HeardPeriod) -> bool:
    """More is heard than what may be left of our own sound."""
    return heard.echo_dbfs < heard.level_dbfs - _RUNG_OUT_DB and not heard.masked


def _evidence(heard: HeardPeriod) -> float:
    """What a detector chunk counts as proof of a user."""
    for (voice, speech), worth in ((_CLEAR, 1.0), (_LIKELY, 0.5)):
        if heard.voice > voice and heard.speech > speech:
            return worth
    return 0.0


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
