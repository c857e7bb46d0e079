"""Everything that happens to one microphone period, in order, in one call."""

import numpy as np

from parleyd import config
from parleyd.hearing import HeardPeriod
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.canceller import BINS, HOP, Cancelled, Canceller
from parleyd.hearing.levels import Levels
from parleyd.hearing.memory import EchoMemory
from parleyd.hearing.pitch import Pitch
from parleyd.hearing.talker import Talker, TalkerDetector
from parleyd.hearing.voice import VoiceDetector
from parleyd.units import MIC_RATE_HZ, Floats, Frames, level_dbfs, ms_to_frames

_VOICE_GAIN = 6.0  # 16 dB: a user across the room is at -42 dBFS, the detector likes -26
_GLITCH_S = 1.0  # what the filter needs to find an echo path that an xrun has moved
_COLD_PERIODS = 100  # of audible playback: before, an unknown echo sounds like a user ...
_FOUND_PERIODS = 50  # ... or half of that, when its delay is known
_YOUNG_PERIODS = 400  # of audible playback: until then there may be more echo than is predicted
_RINGING_PERIODS = 6  # how long a room rings on after the loudspeaker
_FLOOR_RMS = 10.0  # -70 dBFS: a microphone that gates its noise is heard as if it had some, for
# the classifier learnt from rooms, where nothing is ever quite silent; nobody is sent it
_AUDIBLE = 100  # peak of int16, -50 dBFS: quieter playback teaches the filter nothing


class Hearing:
    """Cancels the echo, scores what is left and looks for a voice in it.

    `lead_ms`: how long before it is heard a reference frame is handed in (the
    playback lead). Pure and deterministic: no clock, no thread, no device; one
    caller, one `process` a period, well under a millisecond.
    """

    def __init__(self, settings: config.Hearing, lead_ms: int = 40) -> None:
        self._canceller = Canceller() if settings.canceller == "software" else None
        self._levels = Levels()
        self._pitch = Pitch()
        self._talker = TalkerDetector()
        self._detector = VoiceDetector(max_gain=_VOICE_GAIN)
        early = ms_to_frames(lead_ms, MIC_RATE_HZ)
        self._alignment = Alignment(self._canceller, early) if self._canceller else None
        self._random = np.random.default_rng(1)
        self._attentive = True
        self._voice = 0.0
        self._audible_periods = 0
        self._since_audible = _RINGING_PERIODS  # periods
        self._distrusted_until = float("-inf")

    def process(
        self, mic: Frames, reference: Frames, now: float, *, attentive: bool = True
    ) -> HeardPeriod:
        """Hear one period.

        `mic`, `reference`: int16 mono, 160 frames at 16 kHz, what was recorded and
        what was handed to the loudspeaker in this period (zeros when nothing was).
        `attentive`: somebody asks who is heard; else `voice`, `talker` and `speech` are 0
        and a third of the work is spared, as nobody does for most of a day.
        """
        if attentive and not self._attentive:
            self.listen_anew()
        self._attentive = attentive
        floor = np.rint(self._random.standard_normal(HOP) * _FLOOR_RMS).astype(np.int16)
        cancelled = self._cancel(_sum(mic, floor), reference)
        cleaned = _pcm(cancelled.error - floor * np.float32(1 / 32768))
        score = self._levels.score(cancelled)
        chunks: list[float] = []
        talker = Talker(0.0, 0.0)
        if attentive:
            cues = np.concatenate((self._levels.cues, self._pitch.cues(cancelled)))
            talker = self._talker.process(cues)
            chunks = self._detector.process(cleaned)
        if chunks:
            self._voice = chunks[-1]
        return HeardPeriod(
            cleaned=cleaned,
            score=score,
            voice=self._voice if attentive else 0.0,
            voice_chunk=bool(chunks),
            talker=talker.voice,
            speech=talker.speech,
            level_dbfs=level_dbfs(cleaned),
            echo_dbfs=_dbfs(cancelled.echo),
            masked=self._masked,
            trusted=self._trusted(now),
        )

    @property
    def delay_ms(self) -> float | None:
        """From handing a frame in to hearing it; None while that is not known."""
        return self._alignment.delay_ms if self._alignment is not None else None

    def memory(self) -> EchoMemory | None:
        """What is worth to be kept over a restart; None while too little was heard."""
        if self._alignment is None or self._audible_periods < _COLD_PERIODS:
            return None
        return self._alignment.memory()

    def remember(self, memory: EchoMemory) -> None:
        """Start with what was learnt before a restart."""
        if self._alignment is not None and memory.plausible:
            self._alignment.remember(memory)

    def dropped(self, frames: int) -> None:
        """Playback was silenced and the newest `frames` of the reference never heard.

        Takes them back, and lets the voice detector mostly forget what it took for
        a voice until now: it may have been Parley's, and must not speak for the user.
        """
        if self._alignment is not None:
            self._alignment.dropped(frames)
        self._detector.fade()

    def glitch(self, now: float) -> None:
        """An xrun moved playback against recording: distrust the score for a second."""
        self._distrusted_until = now + _GLITCH_S

    def listen_anew(self) -> None:
        """Parley begins to speak: who spoke before that is over.

        The classifier, which learnt from users who speak over an answer, would remember the
        question for a second or longer, and take the answer's first syllable for the user.
        """
        self._voice = 0.0
        self._pitch = Pitch()
        self._talker = TalkerDetector()
        self._detector.reset()

    def _cancel(self, mic: Frames, reference: Frames) -> Cancelled:
        if self._canceller is None or self._alignment is None:
            error = mic * np.float32(1 / 32768)
            return Cancelled(error, np.zeros(HOP, np.float32), np.zeros(BINS, np.float32))
        due = self._alignment.process(mic, reference)
        audible = float(np.max(np.abs(due))) > _AUDIBLE
        self._audible_periods = min(self._audible_periods + audible, _YOUNG_PERIODS)
        self._since_audible = 0 if audible else self._since_audible + 1
        return self._canceller.process(mic, due)

    @property
    def _masked(self) -> bool:
        young = self._canceller is not None and self._audible_periods < _YOUNG_PERIODS
        return young and self._since_audible < _RINGING_PERIODS

    def _trusted(self, now: float) -> bool:
        found = self._alignment is not None and self._alignment.delay_ms is not None
        enough = _FOUND_PERIODS if found else _COLD_PERIODS
        cold = self._canceller is not None and 0 < self._audible_periods < enough
        return now >= self._distrusted_until and not cold


def _sum(one: Frames, other: Frames) -> Frames:
    total: Frames = np.clip(one.astype(np.int32) + other, -32768, 32767).astype(np.int16)
    return total


def _pcm(samples: Floats) -> Frames:
    frames: Frames = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    return frames


def _dbfs(samples: Floats) -> float:
    return 10.0 * float(np.log10(max(float(np.mean(samples**2)), 1e-12)))
