"""Speech for the simulated room."""

import pytest

from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.simulation.players import need_flite


@pytest.fixture(scope="session")
def story() -> Frames:
    """A few seconds of speech with pauses, int16 at 16 kHz."""
    need_flite()
    return synthesize("There was a small loudspeaker on a shelf. It told stories all day.", "slt")
