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
from parleyd.diagnostics.kept_mute import closed_by_voice
from parleyd.errors import ParleyError
from parleyd.host import scheduling
from parleyd.host.buttons import Buttons
from parleyd.wake import WakeEngine

LOOKS_S = 0.1
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


@contextlib.contextmanager
def alone(
    settings: config.Config,
    environ: Mapping[str, str],
    engine: Callable[[], WakeEngine],
    progress: Progress,
) -> Iterator[AloneMeasurer]:
    """Open the card inside the block; its mixer is given back as it was.

    Raises `AudioError`, and `ControlError` while the mute switch is on or cannot be read, or the
    user has closed the microphone for a time.
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
