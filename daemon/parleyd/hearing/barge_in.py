"""The barge-in decision: is the user speaking over Parley? React first, decide second.

Stage 1 holds playback as soon as the classifier hears a user through the echo. It takes some
ten periods and is sometimes wrong; an error costs a short pause. Stage 2 interrupts the answer
when the voice detector and the classifier agree while the loudspeaker is quiet, when the
classifier is sure for a while, or when the speech continues at the end of the window, well over
noise and echo. Otherwise playback resumes. Every decision carries its reason and the figures
behind it.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from parleyd import config
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.background_voices import BackgroundVoices
from parleyd.hearing.microphone_watch import MicrophoneWatch
from parleyd.units import PERIOD_MS

THRESHOLD = 0.6  # probability of a user: see `python -m tests.bench.hearing --curve`
_OVER_TONES = 0.7  # of the threshold, beside tones: 0.42; an error costs a second of ringing
HITS = 2  # of the last WINDOW periods: one is a click
WINDOW = 3
# Voice detector and classifier must agree: plates deceive the one and echo deceives the other.
_CLEAR = (0.5, 0.7)  # a clear chunk of 32 ms is speech to both ...
_LIKELY = (0.15, 0.9)  # ... and a likely one counts half: the voice detector misses far speakers
_ENOUGH = 2.0  # clear chunks; one can be a knock
# At the end of the window half of that is enough if the user still speaks, well over noise and
# echo: knocks and coughs are over, and dishes that resemble a voice are no louder than a kitchen.
_HALF_ENOUGH, _STILL_SPEAKS, _WELL_OVER_NOISE = 1.0, 0.7, 3.0
_SPEAKS_PERIODS = 15  # of such speech are sufficient evidence: Silero is late with some voices
# Or the classifier alone, if it is sure throughout: Silero misses speakers masked by noise.
_SURE, _SURE_PERIODS = 0.9, 15
# No branch interrupts for a sound that noise and echo explain: both detectors can take a kitchen
# for a voice. 56 of 57 confirmed users (half A, ENR up to 20 dB) exceeded both for as long.
_OVER_NOISE, _OVER_PERIODS = 1.0, 3
_TRACE = 0.1  # below this voice probability, never interrupt, however sure the classifier is
_FADED_DB = 15.0  # below its loudest, a voice is over: both detectors lag by another 0.1 s
_NOTHING_DBFS = -120.0
_IGNORE_S = {"duck": 0.10, "hold": 0.06}  # a silenced loudspeaker still rings in the room
_RUNG_OUT_DB = 3.0  # the microphone must exceed the possible residual echo by this much
_PENALTY = 1.5  # log-odds added to the threshold by a false alarm ...
_PENALTY_DECAY_S = 4.0  # ... which decay in this time
_PENALTY_MOST = 3.0  # a rattling kitchen must not keep a loud user from interrupting
_PROCESSED = 1.0  # ... and by a microphone that deceives: 0.8 instead of 0.6
_ONSET_SCORE = 0.3  # speech begins where the score rises, before the threshold is crossed
_ONSET_GAP = 8  # periods below that are the closure of a t or p, as in "stop"
_ONSET_REACH = 30  # 300 ms: the longest search for an onset


class Decision(StrEnum):
    """The one word for a step of barge-in, from the detector to the log."""

    HOLD = "hold"
    """Hold or duck playback at once; one of the other two follows within `decision_window_ms`."""

    INTERRUPT = "interrupt"
    """The user is speaking: abandon the rest of the answer."""

    RESUME = "resume"
    """It was not the user: resume the answer where it was held."""


@dataclass(frozen=True, slots=True)
class BargeInDecision:
    """One decision and the evidence for it."""

    decision: Decision
    reason: str
    onset: float
    """The estimated start of the speech, on the clock of `now`."""

    metrics: dict[str, float]


class BargeInDetector:
    """The two stages; pure: time is an argument, one `update` a period.

    `voices`: the room's other voices; only what is louder counts. `microphone`: whether it
    deceives. The owner updates both before this.
    """

    def __init__(
        self,
        settings: config.HearingConfig,
        voices: BackgroundVoices | None = None,
        microphone: MicrophoneWatch | None = None,
    ) -> None:
        self._voices = voices if voices is not None else BackgroundVoices()
        self._microphone = microphone if microphone is not None else MicrophoneWatch()
        self._enabled = settings.barge_in
        self._decision_window_s = settings.decision_window_ms / 1000
        self._holds = settings.on_suspicion == "hold"
        self._ignore_s = _IGNORE_S[settings.on_suspicion]
        self._scores: deque[float] = deque(maxlen=_ONSET_REACH)
        self._near_ends: deque[float] = deque(maxlen=WINDOW)
        self._penalty = 0.0
        self._penalised_at = 0.0
        self.onset = 0.0
        """The estimated start of the speech behind the newest hold, on the clock of `now`."""
        self.disarm()

    @property
    def pending(self) -> bool:
        """Playback is held; the second decision is due."""
        return self._held_at is not None

    @property
    def rung_out_at(self) -> float:
        """When the loudspeaker of the pending hold has fallen silent in the room."""
        return (self._held_at or 0.0) + self._ignore_s

    def arm(self, now: float, *, alarm: bool = False) -> None:
        """Playback becomes audible: decide from now on, unless barge-in is configured off.

        `alarm`: an alarm rings, which speech always holds.
        """
        self.disarm()
        self._scores.clear()
        self._near_ends.clear()
        self._armed = self._enabled or alarm

    def linger(self) -> None:
        """The reply is over: continue to judge speech that began during it."""
        self._armed = True

    def disarm(self) -> None:
        """Playback has stopped: no more decisions; a pending one is dropped."""
        self._armed = False
        self._held_at: float | None = None
        self._evidence = 0.0
        self._surest = 0.0
        self._sure_periods = self._speaks_periods = self._over_periods = 0
        self._loudest_dbfs = _NOTHING_DBFS

    def update(
        self, heard: ProcessedPeriod, now: float, *, tones: bool = False
    ) -> BargeInDecision | None:
        """Judge the period that ended at `now`; at most one decision.

        `tones`: Parley plays nothing but tones, which resemble no voice, cancelled or not.
        """
        if not self._armed:
            return None
        if self._held_at is not None:
            return self._decide(heard, now, self._held_at)
        return self._notice(heard, now, tones=tones)

    def threshold(self, now: float) -> float:
        """The probability of a user at which playback is held at this moment."""
        raised = self._raised(now) + _PROCESSED * self._microphone.deceives
        return 1 / (1 + math.exp(-_log_odds(THRESHOLD) - raised))

    def _raised(self, now: float) -> float:
        age = (now - self._penalised_at) / _PENALTY_DECAY_S
        return max(0.0, self._penalty * (1 - age))

    def _notice(self, heard: ProcessedPeriod, now: float, *, tones: bool) -> BargeInDecision | None:
        self._scores.append(heard.excess_db)
        louder = self._voices.suspicious(heard, now)
        score = heard.near_end if heard.trusted or tones else 0.0
        threshold = self.threshold(now)
        if tones and heard.excess_db > _OVER_NOISE:
            score = max(score, heard.voice)
            threshold *= _OVER_TONES
        self._near_ends.append(score if louder else 0.0)
        if sum(near_end > threshold for near_end in self._near_ends) < HITS:
            return None
        self._held_at = now
        self._voices.held()
        self._loudest_dbfs = heard.level_dbfs if _over_echo(heard) else _NOTHING_DBFS
        self.onset = now - self._onset_periods() * PERIOD_MS / 1000
        self._evidence = 0.0
        self._surest = 0.0
        self._sure_periods = self._speaks_periods = self._over_periods = 0
        metrics = {
            "near_end": max(self._near_ends),
            "threshold": threshold,
            "excess_db": heard.excess_db,
            "voice": heard.voice,
            "level_dbfs": heard.level_dbfs,
            "echo_dbfs": heard.echo_dbfs,
            "voices_dbfs": self._voices.dbfs(now),
        }
        return BargeInDecision(Decision.HOLD, "sounds like a user", self.onset, metrics)

    def _decide(self, heard: ProcessedPeriod, now: float, held_at: float) -> BargeInDecision | None:
        waited_s = round(now - held_at, 4)  # a deadline must not slip by a rounding error
        speaks = heard.speech > _STILL_SPEAKS and heard.excess_db > _WELL_OVER_NOISE
        self._weigh(heard, waited_s, speaks, louder=self._voices.clear(now))
        metrics = {
            "waited_ms": round(waited_s * 1000, 1),
            "evidence": self._evidence,
            "speaks_ms": self._speaks_periods * PERIOD_MS,
            "over_ms": self._over_periods * PERIOD_MS,
            "voice": self._surest,
            "speech": heard.speech,
            "excess_db": heard.excess_db,
        }
        over = waited_s >= self._decision_window_s
        reason = self._is_user(still=over and speaks)
        if reason:
            self.disarm()
            return BargeInDecision(Decision.INTERRUPT, reason, self.onset, metrics)
        if not over:
            return None
        self._penalise(now)
        self._voices.was_the_room(now)
        self._microphone.was_nothing()
        reason = "no voice within the window"
        return BargeInDecision(Decision.RESUME, reason, self.onset, metrics)

    def _weigh(
        self, heard: ProcessedPeriod, waited_s: float, speaks: bool, *, louder: bool
    ) -> None:
        """Add one period to the evidence, if the room has rung out and the voice still sounds,
        `louder` than the room's other voices."""
        over_echo = _over_echo(heard)
        rung_out = over_echo or not self._holds  # a ducked reply keeps playing
        if over_echo:
            self._loudest_dbfs = max(self._loudest_dbfs, heard.level_dbfs)
        sounds = heard.level_dbfs > self._loudest_dbfs - _FADED_DB
        counts = louder and rung_out and sounds and waited_s >= self._ignore_s
        if counts and heard.voice_chunk:
            self._surest = max(self._surest, heard.voice)
            self._evidence += _evidence(heard)
        over_noise = counts and heard.excess_db > _OVER_NOISE
        self._over_periods += over_noise
        sure = counts and heard.speech > _SURE
        self._sure_periods = self._sure_periods + over_noise if sure else 0
        self._speaks_periods += counts and speaks

    def _is_user(self, *, still: bool) -> str:
        """Why the evidence is sufficient; "" while it is not. `still`: the window is over, and
        the user still speaks."""
        if self._over_periods < _OVER_PERIODS:
            return ""
        sure = self._sure_periods >= _SURE_PERIODS and self._surest > _TRACE
        enough = _HALF_ENOUGH if still else _ENOUGH
        if self._evidence >= enough or sure:
            return "a voice while the loudspeaker is quiet"
        traced = self._surest > _TRACE or not self._microphone.deceives
        if still and traced and self._speaks_periods >= _SPEAKS_PERIODS:
            return "still talks, well over noise and echo"
        return ""

    def _penalise(self, now: float) -> None:
        """It was a false alarm: the next one needs more."""
        self._held_at = None
        self._scores.clear()
        self._near_ends.clear()
        self._penalty = min(self._raised(now) + _PENALTY, _PENALTY_MOST)
        self._penalised_at = now

    def _onset_periods(self) -> int:
        """How many periods ago the score rose."""
        onset = 0
        for age, score in enumerate(reversed(self._scores), start=1):
            if score > _ONSET_SCORE:
                onset = age
            elif age - onset > _ONSET_GAP:
                break
        return onset


def _over_echo(heard: ProcessedPeriod) -> bool:
    """The period is louder than the possible residual echo."""
    return heard.echo_dbfs < heard.level_dbfs - _RUNG_OUT_DB and not heard.echo_unsettled


def _evidence(heard: ProcessedPeriod) -> float:
    """The weight of a detector chunk as evidence of a user."""
    for (voice, speech), worth in ((_CLEAR, 1.0), (_LIKELY, 0.5)):
        if heard.voice > voice and heard.speech > speech:
            return worth
    return 0.0


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
