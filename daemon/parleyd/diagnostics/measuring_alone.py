"""The measurements of `parley calibrate` without a daemon: with the sound card itself."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping

from msgspec import structs

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.sound_card import Card
from parleyd.calibration.measuring import Progress, StepMeasurer
from parleyd.calibration.steps import MeasuringStep, wanted_frames
from parleyd.control.client import failure
from parleyd.control.replies import Code
from parleyd.core.events import MicPeriod
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.kept_mute import closed_by_voice
from parleyd.diagnostics.limited import LimitedCheck
from parleyd.errors import AudioError, ParleyError
from parleyd.host import scheduling
from parleyd.host.buttons import Buttons
from parleyd.wake import WakeEngine

LOOKS_S = 0.1
OPENS_WITHIN_S = 15.0  # a sound server that must be started first, on a busy Pi
ENDS_WITHIN_S = 2.0  # the thread looks at its end every 50 ms


class AloneMeasurer(StepMeasurer):
    """Drives the steps with a sound card, on a thread; the microphone is open only meanwhile."""

    def __init__(
        self,
        settings: config.Config,
        card: Card,
        closed: Callable[[], str],
        engine: Callable[[], WakeEngine],
        progress: Progress,
    ) -> None:
        """`closed`: why the microphone must be closed now, or ""; read at each period."""
        super().__init__(settings.audio, engine)
        self._priority = settings.audio.priority
        self._card, self._closed, self._progress = card, closed, progress
        self.hangs = False
        """A thread is stuck in the driver, with the card."""

    def run(self, step: MeasuringStep) -> None:
        """Drive the step; a signal that ends the wait silences the loudspeaker at once."""
        ending, ended = threading.Event(), threading.Event()
        failures: list[Exception] = []

        def drive() -> None:
            try:
                self._drive(step, ending)
            except Exception as error:  # handed to the caller
                failures.append(error)
            finally:
                ended.set()

        thread = threading.Thread(target=drive, name="measuring", daemon=True)
        self.hangs = True  # until the opposite is known: signals come at any time
        try:
            thread.start()
            # not `join`: Python 3.11 takes a thread for ended if Ctrl+C interrupts that
            while not ended.wait(LOOKS_S):
                self._progress(step.progress)
        finally:
            ending.set()
            self.hangs = not ended.wait(ENDS_WITHIN_S)
        if failures:
            raise failures[0]

    def _drive(self, step: MeasuringStep, ending: threading.Event) -> None:
        scheduling.ask_for(self._priority)
        try:
            self._refuse_closed()
            self._card.open_capture()
            xruns: int | None = None
            while not step.done and not ending.is_set():
                self._refuse_closed()
                frames = self._card.read()
                if frames is None:
                    continue
                before = self._card.xruns if xruns is None else xruns
                xruns = self._card.xruns
                period = MicPeriod(frames, self._card.queued_frames(), xruns - before)
                self._card.write(step.tick(period, wanted_frames(period, self._audio)))
        finally:
            with contextlib.suppress(ParleyError):  # a lost card is silent
                self._card.drop()
            self._card.close_capture()

    def _refuse_closed(self) -> None:
        if reason := self._closed():
            raise failure(Code.MUTED, reason)


def _try_to_open(audio: config.AudioConfig) -> None:
    """Open the loudspeaker in a child process: in this one alsa-lib would wait for a sound server
    that hangs, and even Ctrl+C would wait with it. Raises `AudioError`."""

    def opened() -> Iterator[Finding]:
        try:
            Card(audio).close()
        except AudioError as error:
            yield Finding("card", Severity.FAIL, str(error))

    no_end = Finding("card", Severity.WARN, "")
    for finding in LimitedCheck.begin(no_end, OPENS_WITHIN_S, opened).findings():
        if finding.level is Severity.FAIL:
            raise AudioError(finding.text)
        raise AudioError(
            f"audio.playback {audio.playback!r} cannot be opened: {finding.text}: "
            "restart the sound server, or plug the card in again"
        )


@contextlib.contextmanager
def alone(
    settings: config.Config,
    environ: Mapping[str, str],
    engine: Callable[[], WakeEngine],
    progress: Progress,
) -> Iterator[AloneMeasurer]:
    """Open the card inside the block; its mixer is given back as it was.

    Raises `AudioError`, also for a sound server that does not answer, and `ControlError` while the
    mute switch is on or cannot be read, or the user has closed the microphone for a time.
    """
    buttons = structs.replace(settings.buttons, push_pin=None)
    switch = Buttons(buttons, on_press=lambda: None, on_mute=lambda muted: None)

    def closed() -> str:
        if not switch.muted:
            return ""
        return switch.mute_trouble or "the mute switch is on: no measurement opens the microphone"

    try:
        if reason := closed():
            raise failure(Code.MUTED, reason)
        if reason := closed_by_voice(environ):
            raise failure(Code.MUTED, f"the microphone is not opened: {reason}")
        _try_to_open(settings.audio)
        card = Card(settings.audio)
        measurer = AloneMeasurer(settings, card, closed, engine, progress)
        try:
            with mixer.as_found(settings.audio):
                yield measurer
        finally:
            if not measurer.hangs:  # alsa-lib ends the process if two threads use a card
                measurer.close()
                card.close()
    finally:
        switch.close()
