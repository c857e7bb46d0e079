"""The whole processing of one microphone period in one call."""

import math
from collections.abc import Callable

import numpy as np

from parleyd import config
from parleyd.audio import (
    FULL_SCALE,
    SILENCE_DBFS,
    int16_to_float,
    level_dbfs,
    power_dbfs,
    round_to_int16,
)
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.alignment import Alignment
from parleyd.hearing.echo_canceller import BINS, HOP, CancelledBlock, EchoCanceller
from parleyd.hearing.echo_path import EchoPath
from parleyd.hearing.fuse import ComponentFault, Fuse
from parleyd.hearing.misalignment import Misalignment
from parleyd.hearing.near_end import NearEndDetector, NearEndProbabilities
from parleyd.hearing.own_voice import OwnVoice, OwnVoiceSearch
from parleyd.hearing.pitch import Pitch
from parleyd.hearing.residual_echo import ResidualEchoEstimator
from parleyd.hearing.vad import VoiceActivityDetector
from parleyd.units import MIC_RATE_HZ, Floats, Frames, ms_to_frames

_VOICE_GAIN = 6.0  # 16 dB: a user across the room is at -42 dBFS, the detector expects -26
_GLITCH_S = 1.0  # the filter needs this time to follow an echo path that an xrun has moved
_SEARCH_S = 3.0  # to find the delay around a place where an echo was found, and to learn it
_COLD_PERIODS = 100  # of audible playback; before, an unknown echo sounds like a user ...
_FOUND_PERIODS = 50  # ... or half of it if the delay is known
_YOUNG_PERIODS = 400  # of audible playback; before, the echo may exceed its prediction
_RINGING_PERIODS = 6  # the room's reverberation after the loudspeaker stops
_PAUSE_PERIODS = 30  # a longer pause of the playback: Parley does not speak now
_TRACE = 0.1  # probability of a user's voice or speech: lower than any that has a consequence
_ALONE_PERIODS = 30  # without a trace of a user: between two words
FLOOR_RMS = 10.0  # -70 dBFS: noise for a microphone that gates, because the classifier was
# trained in rooms, which are never completely silent; this noise is not sent
_FLOOR_PERIODS = 101  # of different noise
_FULL_SCALE = np.array(FULL_SCALE, np.float32)
_CHUNK_PERIODS = 3  # about one chunk of the voice detector
_AUDIBLE = 100  # peak of int16, -50 dBFS: the filter cannot learn from quieter playback


def _raise(fault: ComponentFault) -> None:
    raise fault.error


class EchoControl:
    """Cancels the echo, scores the remainder and detects a voice in it.

    `lead_ms`: the time from passing a reference frame to its sound (the playback lead). Pure
    and deterministic: no clock, no thread, no device; one caller, one `process` per period,
    well under a millisecond.

    `report`: called with each failure of a part, which is reset and skipped for a while;
    the default raises the failure. While a part is skipped, playback is never held.
    """

    def __init__(
        self,
        settings: config.HearingConfig,
        lead_ms: int = 40,
        report: Callable[[ComponentFault], None] = _raise,
    ) -> None:
        self._cancels = settings.canceller == "software"
        self._early = ms_to_frames(lead_ms, MIC_RATE_HZ)
        noise = np.random.default_rng(1).standard_normal((_FLOOR_PERIODS, HOP))
        self._floor = np.rint(noise * FLOOR_RMS).astype(np.float32)
        self._attentive = True
        self._distrusted_until = self._now = float("-inf")
        self._periods = 0
        self._processed = False
        self._new_canceller()
        self._new_near_end_detector()
        self._new_voice_detector()
        deaf = "only wake word and button interrupt"
        self._cancelling = Fuse("echo canceller", deaf, self._new_canceller, report)
        self._knowing = Fuse("near-end detector", deaf, self._new_near_end_detector, report)
        self._listening = Fuse("voice detector", deaf, self._new_voice_detector, report)
        self.fuses = (self._cancelling, self._knowing, self._listening)

    def process(
        self, mic: Frames, reference: Frames, now: float, *, attentive: bool = True
    ) -> ProcessedPeriod:
        """Process one period.

        `mic`, `reference`: int16 mono, 160 frames at 16 kHz, the captured frames and the frames
        passed to the loudspeaker in this period (zeros without playback).
        `attentive`: whether the detectors are needed; if not, `voice`, `near_end` and `speech`
        are 0, which saves a third of the work for most of a day.
        """
        if attentive and not self._attentive:
            self.reset_detectors()
        self._attentive, self._now = attentive, now
        self._periods += 1
        floor = self._floor[self._periods % _FLOOR_PERIODS]
        noisy = mic + floor
        done = self._cancelling.run(now, self._cancel, noisy, reference)
        cancelled, echo_dbfs = done or _as_it_is(noisy)
        cleaned = round_to_int16(cancelled.error * _FULL_SCALE - floor)
        self._own_voice.push(mic, cleaned, echo_dbfs)
        known = self._knowing.run(now, self._know, cancelled, attentive)
        excess_db, near_end = known or (0.0, NearEndProbabilities(0.0, 0.0))
        chunk: bool | None = False
        if attentive:
            alone = done is not None and known is not None and self._alone(near_end)
            chunk = self._listening.run(now, self._listen, cleaned, alone)
        intact = done is not None and known is not None and chunk is not None
        if chunk is None:  # the near-end detector replaces it for local endpointing
            chunk = self._periods % _CHUNK_PERIODS == 0
            self._voice = near_end.speech
        return ProcessedPeriod(  # with names of the fields, this takes twice as long
            cleaned,
            excess_db,
            self._voice if attentive else 0.0,
            chunk,
            near_end.voice,
            near_end.speech,
            level_dbfs(cleaned),
            echo_dbfs,
            self._echo_unsettled,
            intact and self._trusted(now),
            done is not None,
        )

    def overhear(self, cleaned: Frames, now: float, *, first: bool) -> float | None:
        """While not attentive: return the probability of speech in the chunk that ended in this
        period; None if none did. `first`: the period before was not overheard."""
        if first:
            self._detector.reset()
        return self._voice if self._listening.run(now, self._listen, cleaned) else None

    @property
    def delay_ms(self) -> float | None:
        """The time from passing a reference frame to its echo; None while it is unknown."""
        return self._alignment.delay_ms if self._alignment is not None else None

    @property
    def drift_ppm(self) -> float:
        """The playback clock's lag behind the capture clock; 0 while it is unknown."""
        return self._alignment.drift_ppm if self._alignment is not None else 0.0

    def own_voice(self) -> OwnVoice | None:
        """Compare the last second with the playback; None if there was none.

        The delay is searched from now on where an echo was found that is not cancelled. Takes
        as long as two periods' processing.
        """
        if self._alignment is None:
            return None
        return self._cancelling.run(self._now, self._find_own_voice, self._alignment)

    def echo_path(self) -> EchoPath | None:
        """Return the echo path to save over a restart; None after too little playback."""
        if self._alignment is None or self._audible_periods < _COLD_PERIODS:
            return None
        return self._alignment.echo_path()

    def restore(self, memory: EchoPath) -> None:
        """Start with an echo path from before a restart."""
        if self._alignment is not None and memory.plausible:
            self._alignment.restore(memory)

    def dropped(self, frames: int) -> None:
        """Remove the newest `frames` of the reference, which a drop silenced.

        Also decays the voice detector's state: it may have detected the reply's voice, which
        must not count as the user's.
        """
        if self._alignment is not None:
            self._cancelling.run(self._now, self._alignment.dropped, frames)
        self._detector.decay_state()

    def on_xrun(self, now: float) -> None:
        """Suspend the score for a second after an xrun, which shifts playback and capture."""
        self._distrusted_until = now + _GLITCH_S
        if self._alignment is not None:
            self._alignment.doubt()

    def microphone_is(self, *, processed: bool) -> None:
        """The microphone processes its sound, or does not: another network knows its echoes."""
        if processed is not self._processed:
            self._processed = processed
            self._near_end = NearEndDetector(processed=processed)

    def reset_detectors(self) -> None:
        """Reset the detectors when a reply starts, so earlier speech no longer counts.

        The classifier was trained on users who interrupt a reply. It would store the question
        for a second or longer, and classify the reply's first syllable as the user.
        """
        self._voice = 0.0
        self._pitch = Pitch()
        self._near_end = NearEndDetector(processed=self._processed)
        self._detector.reset()

    def _new_canceller(self) -> None:
        self._canceller = EchoCanceller() if self._cancels else None
        self._alignment = Alignment(self._canceller, self._early) if self._canceller else None
        self._misalignment = Misalignment()
        self._audible_periods = 0
        self._since_audible = _PAUSE_PERIODS  # periods
        self._own_voice = OwnVoiceSearch()

    def _new_near_end_detector(self) -> None:
        self._levels = ResidualEchoEstimator()
        self._pitch = Pitch()
        self._near_end = NearEndDetector(processed=self._processed)
        self._since_trace = 0  # of a user, in periods

    def _new_voice_detector(self) -> None:
        self._detector = VoiceActivityDetector(max_gain=_VOICE_GAIN)
        self._voice = 0.0

    def _cancel(self, mic: Floats, reference: Frames) -> tuple[CancelledBlock, float]:
        """Return the period without its echo, and the echo's level (dBFS)."""
        if self._canceller is None or self._alignment is None:
            return _as_it_is(mic)
        due = self._alignment.process(mic, reference)
        cancelled = self._canceller.process(mic, due)
        audible = not cancelled.still and _peak_exceeds(due, _AUDIBLE)
        self._audible_periods = min(self._audible_periods + audible, _YOUNG_PERIODS)
        self._since_audible = 0 if audible else self._since_audible + 1
        echo_power = 0.0 if cancelled.still else float(cancelled.echo.dot(cancelled.echo))
        if self._misalignment.update(cancelled, echo_power):
            self.on_xrun(self._now)
        return cancelled, _finite(power_dbfs(echo_power / HOP), "the estimated echo")

    def _find_own_voice(self, alignment: Alignment) -> OwnVoice | None:
        found = self._own_voice.compare(alignment.reference, learned=alignment.delay_ms is not None)
        if found is not None and found.uncancelled and alignment.search_around(found.delay):
            self._distrusted_until = self._now + _SEARCH_S
        return found

    def _know(
        self, cancelled: CancelledBlock, attentive: bool
    ) -> tuple[float, NearEndProbabilities]:
        excess_db = _finite(self._levels.excess_db(cancelled), "the residual echo")
        if not attentive:
            return excess_db, NearEndProbabilities(0.0, 0.0)
        cues = np.concatenate((self._levels.cues, self._pitch.cues(cancelled)))
        near_end = self._near_end.process(cues)
        _finite(near_end.voice + near_end.speech, "the near-end detector's output")
        return excess_db, near_end

    def _listen(self, cleaned: Frames, alone: bool = False) -> bool:
        """Run the voice detector, unless Parley is alone; return whether one of its chunks ended in
        this period."""
        chunks = self._detector.skip(cleaned) if alone else self._detector.process(cleaned)
        if chunks:
            self._voice = _finite(chunks[-1], "the voice detector's output")
        return bool(chunks)

    def _alone(self, near_end: NearEndProbabilities) -> bool:
        """Whether Parley speaks, and the network hears no trace of a user."""
        self._since_trace = 0 if max(near_end) > _TRACE else self._since_trace + 1
        return self._since_trace > _ALONE_PERIODS and self._since_audible < _PAUSE_PERIODS

    @property
    def _echo_unsettled(self) -> bool:
        young = self._canceller is not None and self._audible_periods < _YOUNG_PERIODS
        return young and self._since_audible < _RINGING_PERIODS

    def _trusted(self, now: float) -> bool:
        found = self._alignment is not None and self._alignment.delay_ms is not None
        enough = _FOUND_PERIODS if found else _COLD_PERIODS
        cold = self._canceller is not None and 0 < self._audible_periods < enough
        return now >= self._distrusted_until and not (cold or self._misalignment.suspected)


def _as_it_is(mic: Floats) -> tuple[CancelledBlock, float]:
    nothing = np.zeros(HOP, np.float32)
    return CancelledBlock(int16_to_float(mic), nothing, np.zeros(BINS, np.float32)), SILENCE_DBFS


def _peak_exceeds(samples: Floats, peak: float) -> bool:
    """Return whether a sample is louder; half of the work of the highest absolute value."""
    return bool(np.maximum.reduce(samples) > peak or np.minimum.reduce(samples) < -peak)


def _finite(number: float, of: str) -> float:
    """Raise `ArithmeticError` for a non-finite number, which filters would store forever."""
    if not math.isfinite(number):
        raise ArithmeticError(f"{of} is {number}, but was finite in all earlier periods")
    return number
