"""The tape: all input of a core in a short conversation, for replay."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parleyd.audio import resample
from parleyd.core.events import ButtonPressed, InputEvent, MicPeriod, TickResult
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SERVER_RATE_HZ
from tests.paper_server import Paper, WakeOnDemand, settings

ANSWER = (
    "There was once a lighthouse keeper who was afraid of the dark. Nobody in the village knew of "
    "it, and every evening he climbed the stairs before the sun had set, so that he would not have "
    "to look for the matches without it."
)
QUESTION = "What is the weather like?"
WARM_S = 3.0  # before counting begins: the canceller has converged, numpy is warm
ECHO_GAIN_DB = -12.0  # a loudspeaker in the same box as the microphone


@dataclass
class Recorded(Paper):
    """Records the input of the core; `counting` marks the periods to count."""

    tape: list[tuple[float, InputEvent | MicPeriod, str]] = field(default_factory=list)
    counting: bool = False

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        place = len(self.tape)
        self.tape.append((now, mic, ""))
        step = super().tick(mic, now)
        if self.counting:
            self.tape[place] = (now, mic, str(self.speaker.state))
        return step

    def say(self, event: InputEvent) -> None:
        self.tape.append((self.card.now, event, ""))
        super().say(event)


def record(path: Path, ticks: int) -> None:
    """Record `ticks` idle periods, then a question and `ticks` periods of the answer."""
    speech = resample(synthesize(ANSWER, "slt"), MIC_RATE_HZ, SERVER_RATE_HZ)
    long_s = (ticks * PERIOD_MS) / 1000 + WARM_S
    reply = np.tile(speech, int(np.ceil(long_s * SERVER_RATE_HZ / len(speech))) + 1)
    base = settings()
    paper = Recorded(base, WakeOnDemand(), reply=reply, echo_gain_db=ECHO_GAIN_DB)
    paper.run(WARM_S)
    _count(paper, ticks)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize(QUESTION))
    paper.until(State.SPEAKING)
    paper.run(WARM_S)
    _count(paper, ticks)
    path.write_bytes(pickle.dumps((base, paper.tape)))


def _count(paper: Recorded, ticks: int) -> None:
    paper.counting = True
    for _ in range(ticks):
        paper.card.step()
    paper.counting = False
