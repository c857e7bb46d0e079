"""The core that the audio thread drives: the speaker, or for some seconds a measurement."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from parleyd.calibration.steps import MeasuringStep
from parleyd.control.replies import Code
from parleyd.core.events import ButtonPressed, CardLost, InputEvent, MicPeriod, TickResult
from parleyd.core.speaker import SmartSpeaker

Ended = Callable[[Code | None, str], None]
"""The measurement is complete, or was refused or ended for a reason in words."""

_BUSY = "a conversation, an alarm or a text needs the loudspeaker: try again afterwards"
_MUTED = "the microphone is closed, and no measurement opens it"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Measurement:
    step: MeasuringStep
    ended: Ended
    begun: bool = False
    cancelled: bool = False


class MeasuringCore:
    """Drives the speaker, except while a measurement has the card.

    Meanwhile the speaker's time passes as with a closed microphone, and the measurement's frames
    take the place of its silence, so that all its accounts stay right. As soon as it needs the
    loudspeaker, or the microphone closes, the measurement ends. Each step is bounded, so that a
    client which is stopped cannot keep the speaker away from its users.
    """

    def __init__(self, speaker: SmartSpeaker) -> None:
        self._speaker = speaker
        self._measurement: _Measurement | None = None
        self._without_card = ""

    # --- any thread --------------------------------------------------------------------

    def begin(self, step: MeasuringStep, ended: Ended) -> None:
        """Measure from the next period on. `ended` is called once, on the audio thread, unless
        another measurement runs, when it is called here; it must return at once."""
        if self._measurement is not None:
            ended(Code.BUSY, "another measurement runs")
            return
        self._measurement = _Measurement(step, ended)

    def cancel(self, step: MeasuringStep) -> None:
        """End this measurement at the next period; does nothing after its end."""
        measurement = self._measurement
        if measurement is not None and measurement.step is step:
            measurement.cancelled = True

    # --- the audio thread --------------------------------------------------------------

    def handle(self, event: InputEvent, now: float) -> None:
        """Hand an event to the speaker; the button only ends a measurement that runs."""
        if isinstance(event, CardLost):
            self._without_card = event.reason
        measurement = self._measurement
        if isinstance(event, ButtonPressed) and measurement is not None and measurement.begun:
            measurement.cancelled = True
            return
        self._speaker.handle(event, now)

    def tick(self, period: MicPeriod, now: float) -> TickResult:
        """One period of the speaker, or of the measurement."""
        if period.frames is not None:
            self._without_card = ""
        measurement = self._measurement
        if measurement is None:
            return self._speaker.tick(period, now)
        if not measurement.begun and (obstacle := self._obstacle(measurement, period)):
            return self._refuse(measurement, obstacle, self._speaker.tick(period, now))
        measurement.begun = True
        meanwhile = self._speaker.tick(period._replace(frames=None), now)
        obstacle = self._obstacle(measurement, period)
        if obstacle is None and (meanwhile.drop or meanwhile.playback.any()):
            obstacle = (Code.STOPPED, _BUSY)
        if obstacle is not None:
            return self._refuse(measurement, obstacle, meanwhile)
        try:
            frames = measurement.step.tick(period, len(meanwhile.playback))
        except Exception:  # the rim of a measurement: the speaker stays
            log.exception("a measurement failed")
            failed = (Code.FAILED, "the measurement failed: see the daemon's log")
            return self._refuse(measurement, failed, meanwhile)
        if measurement.step.done:
            self._end(measurement, None, "")
        return meanwhile._replace(playback=frames)

    def _obstacle(self, measurement: _Measurement, period: MicPeriod) -> tuple[Code, str] | None:
        if measurement.cancelled:
            return Code.STOPPED, "the measurement was ended"
        if self._without_card:
            return Code.NO_CARD, self._without_card
        if period.frames is None:
            return Code.MUTED, _MUTED
        if self._speaker.engaged:
            return Code.STOPPED if measurement.begun else Code.BUSY, _BUSY
        return None

    def _refuse(
        self, measurement: _Measurement, obstacle: tuple[Code, str], step: TickResult
    ) -> TickResult:
        self._end(measurement, *obstacle)
        return step

    def _end(self, measurement: _Measurement, refusal: Code | None, reason: str) -> None:
        self._measurement = None
        measurement.ended(refusal, reason)
