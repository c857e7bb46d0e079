"""The audio front end: composes the parts of hearing, one microphone period at a time."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.hearing import HearingReadings, ProcessedPeriod
from parleyd.hearing.background_voices import BackgroundVoices
from parleyd.hearing.barge_in import BargeInDecision, BargeInDetector, Decision
from parleyd.hearing.calibration import Calibration, CalibrationResult
from parleyd.hearing.canceller_watch import CancellerWatch
from parleyd.hearing.digital_silence import DigitalSilence
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.echo_path import EchoPath
from parleyd.hearing.endpointing import Endpointer, SpeechBoundary
from parleyd.hearing.fuse import ComponentFault, Fuse
from parleyd.hearing.microphone_watch import MicrophoneWatch
from parleyd.hearing.preroll import Preroll
from parleyd.hearing.reference import LAG_MS, Reference
from parleyd.hearing.stop_word import StopWord
from parleyd.hearing.user_gate import UserGate
from parleyd.playback.lead import PlaybackLead
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, Frames, ms_to_frames
from parleyd.wake import WakeEngine
from parleyd.wake.gate import Gate

KEPT_MS = 3000  # longest pre-roll (1 s) plus longest decision (1.5 s), rounded up
ECHOES_S = 0.5  # after playback: the longest delay and the room's tail
_NOT_JUDGED = (True, None, False, False, False)
WAKE_ENGINE = "wake engine"  # the one part that the owner of `AudioFrontEnd` makes and replaces


class FrontEndResult(NamedTuple):
    """The result of one microphone period."""

    heard: ProcessedPeriod
    keyword: str | None
    decision: BargeInDecision | None
    speech: SpeechBoundary | None
    duplex: Duplex | None
    """Set in the period in which the loudspeaker's echo became, or ceased to be, too loud."""
    calibrated: CalibrationResult | None
    """Set once, when the calibration by the startup sound is complete."""
    canceller: CancellerWatch | None = None
    """Set in the period in which the canceller was found not to cancel, or to cancel again."""
    user: bool = True
    """Whether the period may be the user's; otherwise the room's other voices explain it."""
    stop_word: bool = False
    """Set in the period in which a user has said "stop" to Parley's voice or alarm."""
    dead: bool | None = None
    """Set in the period in which the microphone stopped, or resumed, delivering sound."""
    microphone: MicrophoneWatch | None = None
    """Set in the period in which the microphone was found to process its sound, or not to, and
    when the calibration is complete."""


class AudioFrontEnd:
    """One period in, one percept out; owned by the audio thread, deterministic.

    The failure of a part never leaves this object: the part is reset and left out for a while,
    the failure is appended to `faults`, and `trouble` describes the loss. While the canceller
    is left out, audio that may contain Parley's own voice is replaced by silence.
    """

    def __init__(
        self, settings: config.Config, wake: WakeEngine | None, lead: PlaybackLead
    ) -> None:
        audio = settings.audio
        self._settings = settings
        self._rate_hz = audio.playback_rate_hz
        self._lead = lead
        self._preroll = Preroll(KEPT_MS)
        self._cancels = settings.hearing.canceller == "software"
        self._holds = settings.hearing.on_suspicion == "hold"
        self._volume = audio.volume
        self.only_wake_word = False
        """Other voices interrupt again and again: set by the owner, no voice interrupts."""
        self.others_speak = False
        """Other speakers are audible: set by the owner, a wake word must be clearer."""
        self.tones = False
        """An alarm rings, and its name is not being spoken: set by the owner at every period."""
        self._alarm = False
        self._engine = wake
        self._silence = DigitalSilence(gates=not self._cancels)
        self._now = self._spoke_at = float("-inf")
        self._newest: ProcessedPeriod | None = None
        self.faults: list[ComponentFault] = []
        """Failures not yet logged; the owner takes them out."""
        self._failed = False
        self._calibration: Calibration | None = None
        self._renew_reference()
        self._renew_hearing()
        self._renew_gate()
        self._renew_judges()
        self._renew_endpoint()
        self._stop: StopWord | None = None
        deaf = "only wake word and button interrupt"
        self._referring = self._fuse("echo reference", deaf, self._renew_reference)
        self._hears = self._fuse("hearing", deaf, self._renew_hearing)
        self._wakes = self._fuse(
            WAKE_ENGINE, "no wake word is heard: press the button", self._renew_gate
        )
        self._judges = self._fuse("barge-in", deaf, self._renew_judges)
        self._ends = self._fuse(
            "end of speech", "turns end late: press the button", self._renew_endpoint
        )
        self._stops = self._fuse(
            "stop word", "stop is not heard: say the wake word", self._renew_stop_word
        )
        self._stops.run(self._now, self._renew_stop_word)

    def listen(
        self, frames: Frames | None, now: float, *, speaking: bool, attentive: bool
    ) -> FrontEndResult | None:
        """Process 10 ms of microphone (None: it is closed) against the playback of that time.

        `speaking`: Parley's own sound is audible. `attentive`: speech matters, not only the
        wake word.
        """
        self._now = now
        reference = self._referring.run(now, self._reference.take)
        self._newest = None
        if frames is None:
            return None
        changed = self._hears.run(now, self._silence.update, frames, expected=attentive)
        dead = self._silence.dead if changed else None
        if speaking:
            self._spoke_at = now
        heard = self._hears.run(now, self._hear, frames, reference, now, attentive)
        if heard is None:
            heard = _unheard(frames)
        to_wake = heard.cleaned
        if not heard.cancelled and not self._echoes_over(now):
            heard = heard._replace(cleaned=np.zeros_like(heard.cleaned))
        self._newest = heard
        self._preroll.push(heard.cleaned)
        judged = self._judges.run(now, self._judge_all, heard, now, speaking, attentive)
        user, decision, turned, relapsed, recognised = judged or _NOT_JUDGED
        calibrated = None
        if self._calibration is not None:
            calibrated = self._hears.run(now, self._calibrated, self._calibration, heard, now)
        return FrontEndResult(
            heard,
            self._wakes.run(now, self._wake_word, to_wake, speaking, now),
            decision,
            self._ends.run(now, self._endpoint.update, heard if user else _nobody(heard), now),
            self._duplex if turned else None,
            calibrated,
            self._watch if relapsed else None,
            user,
            bool(self._stops.run(now, self._stop_word, heard, speaking, now)),
            dead,
            self._microphone if recognised or calibrated is not None else None,
        )

    def _judge_all(
        self, heard: ProcessedPeriod, now: float, speaking: bool, attentive: bool
    ) -> tuple[bool, BargeInDecision | None, bool, bool, bool]:
        """Return whether the period may be the user's, the decision, and whether duplex, canceller
        and microphone are now found to be different: everything that one fuse guards."""
        self._follow_voices(heard, now, speaking, attentive)
        user = self._may_be_user(heard, now, speaking, attentive)
        turned = self._turned(heard, speaking)
        lost = self._watch.lost
        self._check_canceller(speaking, now)
        recognised = self._watch_microphone(heard, speaking)
        decision = self._judge(heard, now)
        return user, decision, turned, self._watch.lost is not lost, recognised

    @property
    def trouble(self) -> str:
        """The newest failure in words; "" when all parts have worked for a while."""
        if not self._failed:
            return ""
        fuses = sorted(self._fuses, key=lambda fuse: not fuse.out(self._now))
        return next(filter(None, (fuse.trouble(self._now) for fuse in fuses)), "")

    @property
    def deaf(self) -> str:
        """Why no wake word can be detected at present; "" when it can."""
        return self._wakes.means if self._wakes.out(self._now) else ""

    @property
    def silent(self) -> str:
        """A text if the microphone delivers no sound; "" if it does."""
        return "the microphone delivers no sound" if self._silence.dead else ""

    @property
    def half_duplex(self) -> str:
        """Why no voice interrupts at present; "" if one does."""
        if self._watch.lost:
            return "the echo is not cancelled: only wake word and button interrupt"
        loud = "the echo is too loud: only wake word and button interrupt"
        return "" if self._duplex.full else loud

    def readings(self) -> HearingReadings:
        """The values of the newest period."""
        return HearingReadings(
            heard=self._newest,
            threshold=self._barge_in.threshold(self._now),
            wake=self._gate.score if self._gate is not None else None,
            trouble=self.silent or self.trouble or self.half_duplex,
            processing=self._microphone.processing or "",
        )

    def renew_wake_engine(self, engine: WakeEngine) -> None:
        """Use this engine from now on; the maker of the old one closes it."""
        self._engine = engine
        self._renew_gate()
        self._wakes.mend()

    def arm(self, now: float, *, alarm: bool = False) -> None:
        """Playback becomes audible: arm barge-in; ignore speech that began earlier.

        `alarm`: it is an alarm, which speech holds in every duplex.
        """
        self._alarm = alarm
        self._hears.run(now, self._hearing.reset_detectors)
        self._judges.run(now, self._voices.reply_begins, now)
        self.rearm(now)

    def rearm(self, now: float) -> None:
        """Playback resumes after a hold: arm barge-in; the detectors keep their state."""
        self._barge_in.arm(now, alarm=self._alarm)

    def turn_begins(self, now: float, *, called: bool) -> None:
        """Parley listens: the next voice is the user's; `called`: the wake word or the button was
        first, not a reply."""
        self._judges.run(now, self._expect_user, now, called)

    def turn_ended(self, now: float, *, called: bool) -> bool:
        """The user's turn has ended, and a reply is asked for; `called`: it began with the wake
        word or the button. Returns whether its voice continues, as a television's does."""
        return bool(self._judges.run(now, self._voices_continue, now, called))

    def rest(self) -> None:
        """The conversation is over: forget the level of the user's voice."""
        self.only_wake_word = False
        self._judges.run(self._now, self._voices.rest)

    def linger(self) -> None:
        """The reply is over: continue to judge speech that began during it."""
        self._barge_in.linger()

    def disarm(self) -> None:
        """Playback is over: no more barge-in decisions, and a pending one is dropped."""
        self._barge_in.disarm()

    @property
    def deciding(self) -> bool:
        """Playback is held; the decision to interrupt or resume is due."""
        return self._barge_in.pending

    @property
    def onset(self) -> float:
        """The estimated start of the speech behind the newest hold, on the clock of `now`."""
        return self._barge_in.onset

    def restart_endpointing(self, *, speaking: bool) -> None:
        """Look for the user's speech and its end from here on; `speaking`: it has begun."""
        self._endpoint.reset(speaking)

    @property
    def user_speaks(self) -> bool:
        """Whether the voice detector has found speech but not yet its end."""
        return self._endpoint.speaking

    @property
    def voiced_at(self) -> float | None:
        """When the user's voice was last detected, on the clock of `now`; None: never."""
        return self._endpoint.voiced_at

    def calibrate(self, sound_dbfs: float, now: float) -> None:
        """The startup sound begins: measure echo and delay by it (`FrontEndResult.calibrated`)."""
        if self._cancels:
            self._calibration = Calibration(sound_dbfs, self._volume, now)

    def volume_changed(self, percent: int) -> Duplex | None:
        """Account for a new volume in percent; return the new duplex if it changed, too."""
        louder_db = 40 * math.log10(max(percent, 1) / max(self._volume, 1))  # see `ReplyPlayer`
        self._volume = percent
        return self._duplex if self._duplex.volume_changed(louder_db) else None

    def echo_path(self) -> EchoPath | None:
        """Return the learned echo path; None after too little playback."""
        path = self._hears.run(self._now, self._hearing.echo_path)
        return replace(path, processing=self._microphone.processing) if path else None

    def restore(self, memory: EchoPath) -> None:
        """Start from an echo path that was learned before."""
        self._hears.run(self._now, self._hearing.restore, memory)
        known = self._cancels and memory.plausible
        self._microphone.restore(memory.processing if known else None)

    def recent(self, ms: float) -> Frames:
        """The newest `ms` of cleaned audio: int16 at 16 kHz, at most `KEPT_MS`."""
        return self._preroll.last(ms)

    def closed(self) -> None:
        """The microphone was closed: drop all stored audio."""
        self._preroll.clear()
        self._calibration = None
        self._silence.closed()

    def reopened(self, now: float) -> None:
        """The card was opened again with an empty queue: reset all but the learned echo path."""
        self._renew_reference()
        self._hearing.on_xrun(now)

    def written(self, frames: Frames) -> None:
        """These frames, at the device rate, are written to the card next."""
        self._referring.run(self._now, self._reference.written, frames)

    def dropped(self, queued_frames: int) -> None:
        """The newest `queued_frames` of them were dropped unheard."""
        given = self._referring.run(self._now, self._reference.dropped, queued_frames)
        self._hears.run(self._now, self._hearing.dropped, given or 0)

    def on_xrun(self, now: float) -> None:
        """The card lost frames: playback and capture have shifted against each other."""
        self._hearing.on_xrun(now)

    # --- one period -------------------------------------------------------------------

    def _hear(
        self, frames: Frames, reference: Frames | None, now: float, attentive: bool
    ) -> ProcessedPeriod:
        if reference is None:  # without one, echo passes for a voice
            reference = np.zeros(MIC_PERIOD_FRAMES, np.int16)
            heard = self._hearing.process(frames, reference, now, attentive=attentive)
            return heard._replace(trusted=False, cancelled=False)
        if self._reference.slipped:
            self._hearing.on_xrun(now)
        return self._hearing.process(frames, reference, now, attentive=attentive)

    def _echoes_over(self, now: float) -> bool:
        """Whether nothing of Parley's own sound is in the room."""
        return now >= self._spoke_at + ECHOES_S

    def _wake_word(self, frames: Frames, speaking: bool, now: float) -> str | None:
        if self._gate is None:
            return None
        return self._gate.process(frames, now, speaking, wary=self.others_speak)

    def _stop_word(self, heard: ProcessedPeriod, speaking: bool, now: float) -> bool:
        if self._stop is None:
            return False
        known = self._gate is not None and not self._wakes.out(now)
        bands = self._gate.bands if self._gate is not None and known else None
        if not self._stop.process(heard, now, audible=speaking, bands=bands):
            return False
        return self._stop.is_users(self._hearing.own_voice())

    def _turned(self, heard: ProcessedPeriod, speaking: bool) -> bool:
        """Whether full duplex has just become half duplex, or the other way round."""
        judged = speaking and heard.trusted and not self._barge_in.pending
        return judged and self._duplex.update(heard)

    def _follow_voices(
        self, heard: ProcessedPeriod, now: float, speaking: bool, attentive: bool
    ) -> None:
        if attentive:
            held = self._holds and self._barge_in.pending and now >= self._barge_in.rung_out_at
            self._voices.update(heard, now, quiet=held or not speaking)
            self._overhears = False
            return
        self._voices.update(heard, now, quiet=False)
        before = self._overhears
        self._overhears = self._echoes_over(now) and self._voices.wants(heard)
        if self._overhears:
            voice = self._hearing.overhear(heard.cleaned, now, first=not before)
            if voice is not None:
                self._voices.overheard(voice, now)

    def _may_be_user(
        self, heard: ProcessedPeriod, now: float, speaking: bool, attentive: bool
    ) -> bool:
        user = self._user_gate.update(heard, now, quiet=self._echoes_over(now))
        if attentive and heard.voice_chunk and not (user or speaking):
            self._voices.overheard(heard.voice, now)
        return user

    def _expect_user(self, now: float, called: bool) -> None:
        self._voices.turn_begins()
        self._user_gate.turn_begins(now, called=called)

    def _voices_continue(self, now: float, called: bool) -> bool:
        continues = self._voices.turn_ended(now, called=called)
        if self._voices.user_dbfs is not None:
            self._duplex.user_spoke(self._voices.user_dbfs)
        return continues

    def _judge(self, heard: ProcessedPeriod, now: float) -> BargeInDecision | None:
        full = self._duplex.full and not self._watch.lost and not self.only_wake_word
        if not (full or self.tones or self._barge_in.pending):
            return None
        decision = self._barge_in.update(heard, now, tones=self.tones)
        if decision is None or decision.decision is Decision.HOLD or self.tones:
            return decision
        return self._not_itself(decision, now)

    def _not_itself(self, decision: BargeInDecision, now: float) -> BargeInDecision:
        """Return the decision about a hold; resume if it was Parley's own voice."""
        found = self._hearing.own_voice()
        self._watch.decided(decision.decision, found, now)
        if found is None:
            return decision
        evidence = {"own_voice": found.similarity, "removed_db": found.removed_db}
        decision = replace(decision, metrics=decision.metrics | evidence)
        if not found.uncancelled:
            return decision
        return replace(decision, decision=Decision.RESUME, reason="its own voice")

    def _check_canceller(self, speaking: bool, now: float) -> None:
        in_doubt = self._cancels and self._hearing.delay_ms is None
        judged = speaking and not self._barge_in.pending
        if judged and self._watch.due(in_doubt=in_doubt):
            self._watch.checked(self._hearing.own_voice(), now)

    def _watch_microphone(self, heard: ProcessedPeriod, speaking: bool) -> bool:
        if not self._cancels:  # the whole reply would pass for a pause of it
            return False
        held = self._barge_in.pending
        changed = self._microphone.update(heard, judged=speaking and not held, held=held)
        self._hearing.microphone_is(processed=self._microphone.deceives)
        return changed

    def _calibrated(
        self, calibration: Calibration, heard: ProcessedPeriod, now: float
    ) -> CalibrationResult | None:
        found = calibration.update(heard, self._hearing.delay_ms, now)
        if found is not None:
            self._calibration = None
        return found

    # --- the parts, and their replacements after a failure ----------------------------

    def _fuse(self, part: str, means: str, reset: Callable[[], object]) -> Fuse:
        return Fuse(part, means, reset, self._report)

    @property
    def _fuses(self) -> tuple[Fuse, ...]:
        own = (self._wakes, self._hears, self._referring, self._judges, self._ends, self._stops)
        return (*own, *self._hearing.fuses)

    def _report(self, fault: ComponentFault) -> None:
        self._failed = True
        self.faults.append(fault)

    def _renew_reference(self) -> None:
        primed = ms_to_frames(self._lead.ms - PERIOD_MS, self._rate_hz)
        self._reference = Reference(self._rate_hz, primed)

    def _renew_hearing(self) -> None:
        lead_ms = self._lead.ms - LAG_MS
        self._hearing = EchoControl(self._settings.hearing, lead_ms, self._report)
        self._calibration = None

    def _renew_gate(self) -> None:
        refractory_s = self._settings.wake.refractory_s
        self._gate = Gate(self._engine, refractory_s) if self._engine is not None else None

    def _renew_stop_word(self) -> None:
        if self._settings.wake.stop_word:
            self._stop = StopWord()

    def _renew_judges(self) -> None:
        self._duplex = Duplex()
        self._watch = CancellerWatch()
        self._voices = BackgroundVoices()
        self._user_gate = UserGate(self._voices)
        self._overhears = False
        self._microphone = MicrophoneWatch()
        self._barge_in: BargeInDetector = BargeInDetector(
            self._settings.hearing, self._voices, self._microphone
        )

    def _renew_endpoint(self) -> None:
        self._endpoint = Endpointer(self._settings.turn.silence_ms)


def _nobody(heard: ProcessedPeriod) -> ProcessedPeriod:
    """The period without its voice, which does not address Parley."""
    return heard._replace(voice=0.0)


def _unheard(frames: Frames) -> ProcessedPeriod:
    """The result for a period that hearing could not process."""
    return ProcessedPeriod(
        cleaned=frames,
        excess_db=0.0,
        voice=0.0,
        voice_chunk=False,
        near_end=0.0,
        speech=0.0,
        level_dbfs=level_dbfs(frames),
        echo_dbfs=-120.0,
        trusted=False,
        cancelled=False,
    )
