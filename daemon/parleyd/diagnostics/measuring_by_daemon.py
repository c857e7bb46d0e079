"""The measurements of `parley calibrate` by the running daemon, over its control socket."""

import secrets
import select
import time
from collections.abc import Callable, Sequence

from msgspec import structs

from parleyd.calibration.figures import SilenceFigures, SweepsFigures, WordFigures
from parleyd.calibration.measuring import Progress
from parleyd.calibration.steps import SILENCE_PERIODS, WORD_WITHIN_PERIODS
from parleyd.calibration.sweep import SWEEP_S, TAIL_S
from parleyd.control.client import ControlClient, failure, refusal
from parleyd.control.replies import Code, ErrorReply, MeasuredReply
from parleyd.control.requests import MeasureRequest
from parleyd.errors import ControlError
from parleyd.units import PERIOD_MS

LOOKS_S = 0.1
FREE_WITHIN_S, AGAIN_S = 30.0, 0.3  # a turn without speech ends by itself
SPARE_S = 30.0  # for sweeps that dropouts spoil, and for a slow machine


class DaemonMeasurer:
    """A `Measurer` that asks the daemon, which keeps the card: no sound goes over the socket.

    If this process ends in any way, the daemon notices and is a speaker again.
    """

    def __init__(
        self,
        daemon: ControlClient,
        progress: Progress,
        say: Callable[[str], None] = lambda text: None,
        *,
        urgent: bool = False,
    ) -> None:
        """`say` gets the reason for a wait. `urgent`: measure in quiet hours, too."""
        self._daemon, self._progress, self._say = daemon, progress, say
        self._urgent = urgent
        self._series = 1 + secrets.randbelow(1 << 30)

    def silence(self) -> SilenceFigures:
        """Measure the idle room."""
        request = MeasureRequest(what="silence")
        figures = self._ask(request, SILENCE_PERIODS * PERIOD_MS / 1000).silence
        if figures is None:
            raise failure("protocol", "the daemon is of another version: restart it")
        return figures

    def sweeps(self, volumes: Sequence[int]) -> SweepsFigures:
        """Play sweeps, and measure their echoes."""
        request = MeasureRequest(what="sweeps", volumes=tuple(volumes))
        figures = self._ask(request, len(volumes) * (SWEEP_S + TAIL_S)).sweeps
        if figures is None:
            raise failure("protocol", "the daemon is of another version: restart it")
        return figures

    def get_ready(self) -> None:
        """Do nothing: the daemon does it after the sweeps."""

    def word(self) -> WordFigures:
        """Wait for the wake word."""
        within_s = WORD_WITHIN_PERIODS * PERIOD_MS / 1000
        figures = self._ask(MeasureRequest(what="word"), within_s).word
        if figures is None:
            raise failure("protocol", "the daemon is of another version: restart it")
        return figures

    def _ask(self, request: MeasureRequest, expected_s: float) -> MeasuredReply:
        """Ask, again and again while a conversation or another measurement is under way."""
        request = structs.replace(request, urgent=self._urgent, series=self._series)
        deadline, waits = time.monotonic() + FREE_WITHIN_S, False
        while True:
            try:
                return self._ask_once(request, expected_s)
            except ControlError as error:
                if error.code != Code.BUSY or time.monotonic() >= deadline:
                    raise
                if not waits:
                    self._say(f"Waiting: {error}")
                waits = True
            time.sleep(AGAIN_S)

    def _ask_once(self, request: MeasureRequest, expected_s: float) -> MeasuredReply:
        began = time.monotonic()
        self._daemon.send(request)
        while (passed_s := time.monotonic() - began) < expected_s + SPARE_S:
            self._progress(min(passed_s / expected_s, 1.0))
            ready, _, _ = select.select([self._daemon], [], [], LOOKS_S)
            for line in self._daemon.lines() if ready else ():
                if isinstance(line, ErrorReply):
                    raise refusal(line)
                if isinstance(line, MeasuredReply):
                    return line
        raise failure("late", "the daemon does not answer: see its log")
