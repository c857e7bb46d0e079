"""The same household with real audio processing in a simulated room, at ten times the cost."""

from functools import cache

import numpy as np

from parleyd.core.speaker import SmartSpeaker
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.soak.world import World

WORDS = (
    "What is the weather like tomorrow, and will it rain in the afternoon?",
    "No wait, tell me about the trains to the north, and when the next one leaves.",
)
SAID_DBFS = -24.0  # at the microphone: a user speaking over the loudspeaker
ECHO_DB = -30.0


@cache
def _said(words: str) -> Frames:
    return normalised(synthesize(words, "slt"), SAID_DBFS)


class HeardWorld(World):
    """Users speak, the room adds echo, the canceller runs; the sound card never fails."""

    def _speaker(self) -> SmartSpeaker:
        self._talker = Talker()
        room = Room(
            seed=self.seed,
            echo_gain_db=ECHO_DB,
            noise_dbfs=-70.0,
            loudspeaker_rate_hz=SERVER_RATE_HZ,
        )
        self._card = SimulatedCard(self, room, self._talker)
        return SmartSpeaker(self.settings, self.wake_engine)

    def _run_period(self) -> None:
        self._run_due()
        self._card.muted = self._muted
        self._card.step()
        if len(self._talker.utterances) > 100 and not self._talker.talking:
            self._talker.hush()

    def _talk(self, seconds: float) -> None:
        clip = _said(self.random.choice(WORDS))
        self._talker.say(clip[: int(seconds * MIC_RATE_HZ)])

    def _cough(self, seconds: float) -> None:
        noise = np.random.default_rng(self.count()).normal(0, 3000, int(seconds * MIC_RATE_HZ))
        self._talker.say(noise.astype(np.int16))

    def _repair(self) -> None:
        self._talker.hush()
        super()._repair()

    def _stall(self, seconds: float) -> None:
        """Do nothing: the tests of the room cover the stalls of the simulated card."""

    def _lose_card(self) -> None:
        """Do nothing, as for stalls."""

    def _refused(self) -> None:
        """Do nothing: a restart would need a new room."""
