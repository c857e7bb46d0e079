"""The lines of the talker and their times: a state machine that runs every 10 ms of the room."""

from dataclasses import dataclass, field
from random import Random

from parleyd.simulation.talker import Talker
from parleyd.units import PERIOD_MS, Frames

PERIOD_S = PERIOD_MS / 1000
FIRST_S = 1.0
PAUSE_S = (4.0, 9.0)  # from the end of a line to the next one
PLAYS_S = 0.3  # a line is only said into an answer
SILENCE_S = 6.0  # then the talker asks again
PATIENCE_S = 25.0  # beside a client that interrupts itself, the talker speaks all the same
ASK = "ask"


@dataclass
class Interruptions:
    """Asks a question, interrupts the answers `trials` times, then listens for `alone_s`.

    `lines`: the lines that the talker says into the answers, in order, and again from the start.
    """

    question: Frames
    lines: list[tuple[str, Frames]]
    trials: int
    alone_s: float
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.said = 0
        self.heard_alone_s = 0.0
        self._asked = False
        self._next_s = FIRST_S
        self._quiet_s = self._plays_s = self._since_s = 0.0

    @property
    def done(self) -> bool:
        return self.said >= self.trials and self.heard_alone_s >= self.alone_s

    def step(self, loud: bool, talker: Talker) -> None:
        """Take 10 ms; `loud` is whether the loudspeaker sounds."""
        self._quiet_s = 0.0 if loud else self._quiet_s + PERIOD_S
        self._plays_s = self._plays_s + PERIOD_S if loud else 0.0
        if talker.talking:
            self._since_s = 0.0
            return
        self._since_s += PERIOD_S
        if self._must_ask():
            self._ask(talker)
        elif self.said < self.trials:
            if self._since_s > self._next_s and self._plays_s > PLAYS_S:
                self._interrupt(talker)
        elif loud:
            self.heard_alone_s += PERIOD_S

    def _must_ask(self) -> bool:
        if not self._asked:
            return self._since_s > FIRST_S
        silent = self._quiet_s > SILENCE_S and self._since_s > SILENCE_S
        return silent or (self.said < self.trials and self._since_s > PATIENCE_S)

    def _ask(self, talker: Talker) -> None:
        self._asked = True
        talker.say(self.question, label=ASK)
        self._wait()

    def _interrupt(self, talker: Talker) -> None:
        name, clip = self.lines[self.said % len(self.lines)]
        talker.say(clip, label=name)
        self.said += 1
        self._wait()

    def _wait(self) -> None:
        self._next_s = self.random.uniform(*PAUSE_S)
        self._since_s = self._quiet_s = 0.0
