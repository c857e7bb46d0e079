"""Utterances of the talkers in tests of whole conversations."""

import pytest

from parleyd.simulation.clips import synthesize
from parleyd.units import Frames


@pytest.fixture
def question() -> Frames:
    return synthesize("What is the weather like?", "slt")


@pytest.fixture
def objection() -> Frames:
    return synthesize("No wait, tell me about the rain.", "rms")
