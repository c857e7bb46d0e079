"""A conversation beside a television in simulated time, with real hearing: seconds of the hour."""

from collections.abc import Iterator

import numpy as np
import pytest

from parleyd.audio import FULL_SCALE, resample
from parleyd.config import AudioConfig, Config, TurnConfig
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.convolution import Signal
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.hearing.air import Air, Distortion
from tests.bench.hearing.house import House
from tests.soak.television import programme

pytestmark = pytest.mark.slow

USER_DBFS = -24.0
CALLED_S, ASKED_S, AGAIN_S = 20.0, 21.2, 28.0  # "hey jarvis", the question, another one
ENDS_S = 45.0
ANSWERED_WITHIN_S = 2.5  # of the last word


def words(text: str) -> Signal:
    return normalised(synthesize(text, "rms"), USER_DBFS) / FULL_SCALE


def answers() -> Iterator[Frames]:
    """Yield the same sentence for ever, int16 at 24 kHz."""
    while True:
        yield resample(synthesize("It is twenty past nine.", "slt"), MIC_RATE_HZ, SERVER_RATE_HZ)


class Evening:
    """20 s of television, a question, a follow-up, and nothing but television."""

    def __init__(self) -> None:
        television = next(programme(None, USER_DBFS, 60.0, seed=3))
        around = television[: round(ENDS_S + 1) * MIC_RATE_HZ] / FULL_SCALE
        self.ends_s: list[float] = []
        for text, at_s in (
            ("hey jarvis", CALLED_S),
            ("what time is it", ASKED_S),
            ("and what is the date today", AGAIN_S),
        ):
            said, start = words(text), round(at_s * MIC_RATE_HZ)
            around[start : start + len(said)] += said
            self.ends_s.append(at_s + len(said) / MIC_RATE_HZ)
        settings = Config(audio=AudioConfig(volume=100), turn=TurnConfig(detection="local"))
        self.house = House(settings, answers(), idle_s=ENDS_S, answer_s=2.0)
        path = np.zeros(400)
        path[80] = 0.05
        typical = np.random.default_rng(1).standard_normal(MIC_RATE_HZ) * 0.1
        air = Air((path, path), around, delay_ms=50.0, distortion=Distortion(typical, 40.0))
        self.card = SimulatedCard(self.house, air, Talker())  # type: ignore[arg-type]
        self.spoke_at: list[float] = []

    def run(self) -> None:
        before = State.IDLE
        while self.card.now < ENDS_S:
            now = self.card.now
            if now == pytest.approx(ASKED_S - 0.3):
                self.house.speaker.handle(ButtonPressed(), now)
            self.house.stream(now)
            self.card.step()
            if self.house.state is State.SPEAKING and before is State.THINKING:
                self.spoke_at.append(now)
            before = self.house.state


@pytest.fixture(scope="module")
def evening() -> Evening:
    evening = Evening()
    evening.run()
    return evening


def test_users_are_answered_beside_a_television(evening: Evening) -> None:
    _, asked_s, again_s = evening.ends_s
    assert len(evening.spoke_at) == 2
    assert asked_s < evening.spoke_at[0] < asked_s + ANSWERED_WITHIN_S
    assert again_s < evening.spoke_at[1] < again_s + ANSWERED_WITHIN_S


def test_television_alone_is_not_answered(evening: Evening) -> None:
    assert evening.house.state is State.IDLE
