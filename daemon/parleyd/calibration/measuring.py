"""Where a calibration measures: with the daemon, alone, or in a simulated room. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from parleyd import config
from parleyd.calibration.figures import SilenceFigures, SweepsFigures, WordFigures
from parleyd.calibration.steps import MeasuringStep, SilenceStep, WordStep
from parleyd.calibration.sweep_step import SweepStep
from parleyd.wake import WakeEngine

SOFT, MIDDLE, LOUD = 40, 60, 80  # percent


def volumes(present: int) -> tuple[int, ...]:
    """The volumes of the sweeps: three, of which the loudest is the present one if that is louder.

    The first comes once more at the end: it shows whether the microphone changes its gain.
    """
    return SOFT, MIDDLE, max(LOUD, present), SOFT


Progress = Callable[[float], None]
"""Gets the part of a measurement that is over, 0 to 1."""


class Measurer(Protocol):
    """Measures; each method blocks for seconds and raises `ParleyError`."""

    def silence(self) -> SilenceFigures:
        """Measure the idle room."""
        ...

    def sweeps(self, volumes: Sequence[int]) -> SweepsFigures:
        """Play sweeps at these volumes in percent, and measure their echoes."""
        ...

    def get_ready(self) -> None:
        """Prepare for `word`: a user who is asked for the word speaks at once."""
        ...

    def word(self) -> WordFigures:
        """Wait for the wake word."""
        ...


class StepMeasurer(ABC):
    """A `Measurer` that drives the steps itself."""

    def __init__(self, audio: config.AudioConfig, engine: Callable[[], WakeEngine]) -> None:
        """`engine` makes the wake-word engine, when it is needed first."""
        self._audio, self._engine_of = audio, engine
        self._engine: WakeEngine | None = None

    @abstractmethod
    def run(self, step: MeasuringStep) -> None:
        """Drive the step until it is done. Raises `ParleyError`."""

    def silence(self) -> SilenceFigures:
        """Measure the idle room."""
        step = SilenceStep()
        self.run(step)
        return step.figures()

    def sweeps(self, volumes: Sequence[int]) -> SweepsFigures:
        """Play sweeps, and measure their echoes."""
        step = SweepStep(volumes, self._audio.playback_rate_hz, self._audio.lead_ms)
        self.run(step)
        return step.figures()

    def get_ready(self) -> None:
        """Make the wake-word engine, if there is none. Raises `WakeError`."""
        if self._engine is None:
            self._engine = self._engine_of()

    def word(self) -> WordFigures:
        """Wait for the wake word."""
        self.get_ready()
        assert self._engine is not None
        step = WordStep(self._engine)
        self.run(step)
        return step.figures()

    def close(self) -> None:
        """Free the engine; may be called twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
