"""The ears: everything that is heard in one microphone period, composed from its rooms."""

import math
from dataclasses import dataclass

from parleyd import config
from parleyd.hearing import HeardPeriod
from parleyd.hearing.bargein import BargeIn, Verdict
from parleyd.hearing.calibration import Calibrated, Calibration
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.endpoint import Endpoint, Speech
from parleyd.hearing.memory import EchoMemory
from parleyd.hearing.pipeline import Hearing
from parleyd.hearing.preroll import Preroll
from parleyd.hearing.reference import LAG_MS, Reference
from parleyd.lead import Lead
from parleyd.units import PERIOD_MS, Frames, ms_to_frames
from parleyd.wake import WakeEngine
from parleyd.wake.gate import Gate

KEPT_MS = 3000  # longest pre-roll (1 s) plus longest decision (1.5 s), rounded up


@dataclass(frozen=True, slots=True)
class Percept:
    """What one period of the microphone meant."""

    heard: HeardPeriod
    keyword: str | None
    verdict: Verdict | None
    speech: Speech | None
    duplex: Duplex | None
    """Set when it has just changed whether a voice can be heard over our own."""
    calibrated: Calibrated | None
    """Set once, when the sound at the start has told what it can."""


class Ears:
    """One period in, one percept out; owned by the audio thread, deterministic."""

    def __init__(self, settings: config.Config, wake: WakeEngine | None, lead: Lead) -> None:
        audio = settings.audio
        self._rate_hz = audio.playback_rate_hz
        self._lead = lead
        self._reference = self._new_reference()
        self._hearing = Hearing(settings.hearing, lead_ms=lead.ms - LAG_MS)
        self._preroll = Preroll(KEPT_MS)
        self._cancels = settings.hearing.canceller == "software"
        self._volume = audio.volume
        self._calibration: Calibration | None = None
        self._gate = Gate(wake, settings.wake.refractory_s) if wake is not None else None
        self._duplex = Duplex()
        self.barge_in = BargeIn(settings.hearing)
        self.endpoint = Endpoint(settings.turn.silence_ms)

    def listen(
        self, frames: Frames | None, now: float, *, speaking: bool, attentive: bool
    ) -> Percept | None:
        """Take 10 ms of microphone (None: it is closed) and what was played meanwhile.

        `speaking`: Parley is heard. `attentive`: it matters who speaks, not only a wake word.
        """
        reference = self._reference.take()
        if frames is None:
            return None
        if self._reference.slipped:
            self._hearing.glitch(now)
        heard = self._hearing.process(frames, reference, now, attentive=attentive)
        self._preroll.push(heard.cleaned)
        pending = self.barge_in.pending
        judged = speaking and heard.trusted and not pending
        changed = judged and self._duplex.update(heard)
        return Percept(
            heard,
            self._gate.process(heard.cleaned, now, speaking) if self._gate else None,
            self.barge_in.update(heard, now) if self._duplex.full or pending else None,
            self.endpoint.update(heard, now),
            self._duplex if changed else None,
            self._calibrated(heard, now),
        )

    def arm(self, now: float) -> None:
        """Parley begins to be heard: suspect who speaks from now on, and nobody before."""
        self._hearing.listen_anew()
        self.barge_in.arm(now)

    def calibrate(self, sound_dbfs: float, now: float) -> None:
        """A sound of our own begins: learn from it what can be learnt (`Percept.calibrated`)."""
        if self._cancels:
            self._calibration = Calibration(sound_dbfs, self._volume, now)

    def volume_changed(self, percent: int) -> Duplex | None:
        """Replies are played at this loudness from now on; see `Percept.duplex`."""
        louder_db = 40 * math.log10(max(percent, 1) / max(self._volume, 1))  # see `Mouth`
        self._volume = percent
        return self._duplex if self._duplex.volume_changed(louder_db) else None

    def memory(self) -> EchoMemory | None:
        """What was learnt of the echo's path; None while too little was heard."""
        return self._hearing.memory()

    def remember(self, memory: EchoMemory) -> None:
        """Begin with what was learnt before."""
        self._hearing.remember(memory)

    def recent(self, ms: float) -> Frames:
        """The newest `ms` of cleaned audio: int16 at 16 kHz, at most `KEPT_MS`."""
        return self._preroll.last(ms)

    def closed(self) -> None:
        """The microphone was closed: what was heard before is nobody's business any more."""
        self._preroll.clear()
        self._calibration = None

    def reopened(self, now: float) -> None:
        """The card starts anew, with an empty queue: as at the start, but for what was learnt."""
        self._reference = self._new_reference()
        self._hearing.glitch(now)

    def written(self, frames: Frames) -> None:
        """These device-rate frames go to the loudspeaker next."""
        self._reference.written(frames)

    def dropped(self, queued_frames: int) -> None:
        """The newest `queued_frames` of them were thrown away unheard."""
        self._hearing.dropped(self._reference.dropped(queued_frames))

    def glitch(self, now: float) -> None:
        """The card lost frames: playback has moved against recording."""
        self._hearing.glitch(now)

    def _new_reference(self) -> Reference:
        return Reference(self._rate_hz, ms_to_frames(self._lead.ms - PERIOD_MS, self._rate_hz))

    def _calibrated(self, heard: HeardPeriod, now: float) -> Calibrated | None:
        if self._calibration is None:
            return None
        found = self._calibration.update(heard, self._hearing.delay_ms, now)
        if found is not None:
            self._calibration = None
        return found
