"""The measurements of `parley calibrate` in a simulated room, faster than real time."""

from collections.abc import Callable

from parleyd import config
from parleyd.calibration.figures import WordFigures
from parleyd.calibration.measuring import Progress, StepMeasurer
from parleyd.calibration.steps import MeasuringStep, wanted_frames
from parleyd.core.events import MicPeriod, TickResult
from parleyd.simulation.card import InjectedFault, SimulatedCard
from parleyd.simulation.clips import synthesize
from parleyd.simulation.rooms import RoomPlan
from parleyd.simulation.talker import Talker
from parleyd.units import SILENCE
from parleyd.wake import WakeEngine

_VOICES = ("slt", "rms", "awb", "kal16")
_SAYS_AFTER_S = 1.5
_SHOWN_PERIODS = 50


class _Slot:
    """The core that the simulated card drives: the step of the moment."""

    def __init__(self, audio: config.AudioConfig) -> None:
        self._audio = audio
        self.step: MeasuringStep | None = None

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        if self.step is None:
            return TickResult(False, SILENCE, ())
        return TickResult(False, self.step.tick(mic, wanted_frames(mic, self._audio)), ())


class SimulatedMeasurer(StepMeasurer):
    """A `Measurer` in a room of `rooms`, with its user; deterministic."""

    def __init__(
        self,
        plan: RoomPlan,
        audio: config.AudioConfig,
        engine: Callable[[], WakeEngine],
        progress: Progress = lambda part: None,
        *,
        seed: int = 1,
        faults: tuple[InjectedFault, ...] = (),
    ) -> None:
        super().__init__(audio, engine)
        self._plan, self._progress = plan, progress
        self._slot, self._talker, self._said = _Slot(audio), Talker(), 0
        room = plan.build(seed, audio.playback_rate_hz)
        self.card = SimulatedCard(
            self._slot, room, self._talker, drift_ppm=plan.drift_ppm, faults=faults
        )

    def run(self, step: MeasuringStep) -> None:
        """Drive the step in simulated time."""
        self._slot.step = step
        periods = 0
        while not step.done:
            self.card.step()
            periods += 1
            if periods % _SHOWN_PERIODS == 0:
                self._progress(step.progress)
        self._slot.step = None

    def word(self) -> WordFigures:
        """Let the simulated user speak. Raises `OfflineSpeechError` without flite."""
        voice = _VOICES[self._said % len(_VOICES)]
        self._said += 1
        said = synthesize(self._plan.says, voice, level_dbfs=self._plan.user_dbfs)
        self._talker.say(said, at=self.card.now + _SAYS_AFTER_S)
        return super().word()
