"""What changes in hearing: the log gets the events, and the learnt echo path is saved."""

from collections.abc import Callable

from parleyd.core import log_events
from parleyd.core.events import Effect, Learnt, Note, ReportXruns
from parleyd.hearing.front_end import Ears, Percept
from parleyd.playback.lead import Lead

SAVE_EVERY_S = 600.0  # memory cards wear, and rooms change slowly


class HearingMonitor:
    """Watches the front end and the playback lead; owned by the audio thread."""

    def __init__(self, ears: Ears, lead: Lead, emit: Callable[[Effect], None]) -> None:
        self._ears = ears
        self._lead = lead
        self._emit = emit
        self._saved_at = float("-inf")
        self._impaired = ""

    @property
    def impaired(self) -> str:
        """What part of hearing does not work, in words; "" when all of it does."""
        return self._ears.silent or self._impaired

    def xruns(self, count: int, now: float) -> None:
        """The card lost frames `count` times since the last period."""
        self._ears.glitch(now)
        self._emit(ReportXruns(count))
        if self._lead.dropped_out(now):
            self._emit(log_events.of_lead(self._lead.ms))

    def volume_changed(self, percent: int) -> None:
        """Playback is at this volume from now on."""
        if duplex := self._ears.volume_changed(percent):
            self._emit(log_events.of_duplex(duplex))

    def report(self, percept: Percept, now: float) -> None:
        """Log what has changed in this period."""
        if percept.calibrated is not None:
            self._emit(log_events.of_calibrated(percept.calibrated))
            self.save_echo_path(now)
        if percept.dead is not None:
            self._emit(log_events.of_microphone(percept.dead))
        if percept.duplex is not None:
            self._emit(log_events.of_duplex(percept.duplex))

    def save_echo_path(self, now: float) -> None:
        """Have the echo path saved for the next start, at most once in `SAVE_EVERY_S`."""
        memory = self._ears.memory() if now >= self._saved_at + SAVE_EVERY_S else None
        if memory is not None:
            self._saved_at = now
            self._emit(Learnt(memory))

    def take_faults(self) -> bool:
        """Log the parts that have failed since the last call; True when there are any."""
        if self._ears.trouble != self._impaired:
            self._impaired = self._ears.trouble
            if not self._impaired:
                self._emit(Note("hearing_well", {}))
        faults, self._ears.faults = self._ears.faults, []
        for fault in faults:
            self._emit(fault)
        return bool(faults)
