"""The talker's script in simulated time."""

import itertools
from random import Random

import numpy as np

from parleyd.simulation.talker import Talker
from tests.bench.peers.script import ASK, Interruptions

QUESTION = np.ones(16_000, np.int16)
LINES = [(name, np.ones(8_000, np.int16)) for name in ("one", "two")]


def talk(script: Interruptions, seconds: float, *, plays: bool) -> Talker:
    talker = Talker()
    for _ in range(int(seconds * 100)):
        talker.period()
        if not script.done:
            script.step(plays, talker)
    return talker


def test_talker_asks_then_interrupts_then_listens() -> None:
    script = Interruptions(QUESTION, LINES, trials=3, alone_s=5.0, random=Random(1))
    said = talk(script, 60.0, plays=True).utterances
    assert [line.label for line in said] == [ASK, "one", "two", "one"]
    pauses = [b.onset_s - a.end_s for a, b in itertools.pairwise(said)]
    assert all(4.0 < pause < 9.1 for pause in pauses)
    assert script.done


def test_talker_asks_again_in_silence() -> None:
    script = Interruptions(QUESTION, LINES, trials=3, alone_s=5.0, random=Random(1))
    said = talk(script, 30.0, plays=False).utterances
    assert [line.label for line in said] == [ASK] * 5
    assert not script.done
