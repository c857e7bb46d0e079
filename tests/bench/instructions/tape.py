"""The tape: everything that a core was told in a short conversation, to be told again."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parleyd.audio import resample
from parleyd.core.events import ButtonPressed, Happening, MicPeriod, Step
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SERVER_RATE_HZ
from tests.paper_server import Bell, Paper, settings

ANSWER = (
    "There was once a lighthouse keeper who was afraid of the dark. Nobody in the village knew of "
    "it, and every evening he climbed the stairs before the sun had set, so that he would not have "
    "to look for the matches without it."
)
QUESTION = "What is the weather like?"
WARM_S = 3.0  # heard before it counts: the canceller has converged, numpy is warm
ECHO_GAIN_DB = -12.0  # a loudspeaker in one box with its microphone


@dataclass
class Recorded(Paper):
    """Writes down what the core is told; `counting` marks the heartbeats that are counted."""

    tape: list[tuple[float, Happening | MicPeriod, str]] = field(default_factory=list)
    counting: bool = False

    def tick(self, mic: MicPeriod, now: float) -> Step:
        place = len(self.tape)
        self.tape.append((now, mic, ""))
        step = super().tick(mic, now)
        if self.counting:
            self.tape[place] = (now, mic, str(self.speaker.state))
        return step

    def say(self, event: Happening) -> None:
        self.tape.append((self.card.now, event, ""))
        super().say(event)


def record(path: Path, ticks: int) -> None:
    """Idle for `ticks` heartbeats, then a question and `ticks` heartbeats of the answer."""
    speech = resample(synthesize(ANSWER, "slt"), MIC_RATE_HZ, SERVER_RATE_HZ)
    long_s = (ticks * PERIOD_MS) / 1000 + WARM_S
    reply = np.tile(speech, int(np.ceil(long_s * SERVER_RATE_HZ / len(speech))) + 1)
    base = settings()
    paper = Recorded(base, Bell(), reply=reply, echo_gain_db=ECHO_GAIN_DB)
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
