"""What changes in hearing: the log gets the events, and the learned echo path is saved."""

from collections.abc import Callable

from parleyd.core import log_events
from parleyd.core.events import EchoPathLearned, Effect, LogEvent, ReportXruns
from parleyd.hearing.canceller_watch import CancellerWatch
from parleyd.hearing.duplex import Duplex
from parleyd.hearing.front_end import AudioFrontEnd, FrontEndResult
from parleyd.hearing.microphone_watch import MicrophoneWatch, Processing
from parleyd.playback.lead import PlaybackLead

SAVE_EVERY_S = 600.0  # memory cards wear, and rooms change slowly


class HearingMonitor:
    """Watches the front end and the playback lead; owned by the audio thread."""

    def __init__(
        self, front_end: AudioFrontEnd, lead: PlaybackLead, emit: Callable[[Effect], None]
    ) -> None:
        self._front_end = front_end
        self._lead = lead
        self._emit = emit
        self._saved_at = float("-inf")
        self._impaired = ""
        self._processing: set[Processing] = set()  # logged

    @property
    def impaired(self) -> str:
        """What part of hearing does not work, in words; "" when all of it does."""
        return self._front_end.silent or self._impaired or self._front_end.half_duplex

    def xruns(self, count: int, now: float) -> None:
        """The card lost frames `count` times since the last period."""
        self._front_end.on_xrun(now)
        self._emit(ReportXruns(count))
        if self._lead.on_xrun(now):
            self._emit(log_events.of_lead(self._lead.ms))

    def volume_changed(self, percent: int) -> None:
        """Playback is at this volume from now on."""
        if duplex := self._front_end.volume_changed(percent):
            self._report_duplex(duplex, None)

    def report(self, result: FrontEndResult, now: float) -> None:
        """Log the changes of this period."""
        if result.calibrated is not None:
            self._emit(log_events.of_calibrated(result.calibrated))
            self.save_echo_path(now)
        if result.dead is not None:
            self._emit(log_events.of_microphone(result.dead))
        if result.microphone is not None:
            self._report_processing(result.microphone)
        if result.duplex is not None or result.canceller is not None:
            self._report_duplex(result.duplex, result.canceller)

    def _report_processing(self, microphone: MicrophoneWatch) -> None:
        """Log once what a microphone does to its sound; again if another thing shows."""
        processing = microphone.processing
        if processing is not None and processing not in self._processing:
            self._processing.add(processing)
            self._emit(log_events.of_processing(microphone, processing))

    def save_echo_path(self, now: float) -> None:
        """Have the echo path saved for the next start, at most once in `SAVE_EVERY_S`."""
        memory = self._front_end.echo_path() if now >= self._saved_at + SAVE_EVERY_S else None
        if memory is not None:
            self._saved_at = now
            self._emit(EchoPathLearned(memory))

    def _report_duplex(self, duplex: Duplex | None, canceller: CancellerWatch | None) -> None:
        if canceller is not None and canceller.lost:
            self._emit(log_events.of_canceller(canceller.newest))
        if duplex is not None and not duplex.full:
            self._emit(log_events.of_duplex(duplex))
        if not self._front_end.half_duplex:
            self._emit(LogEvent("full_duplex", {"means": "a voice interrupts again"}))

    def take_faults(self) -> bool:
        """Log the parts that have failed since the last call; True when there are any."""
        if self._front_end.trouble != self._impaired:
            self._impaired = self._front_end.trouble
            if not self._impaired:
                self._emit(LogEvent("hearing_well", {}))
        faults, self._front_end.faults = self._front_end.faults, []
        for fault in faults:
            self._emit(fault)
        return bool(faults)
