"""While Parley speaks and no user does, the voice detector is not asked."""

from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.echo_control import EchoControl
from parleyd.units import Floats
from tests.hearing.echo_rooms import noise, pcm, room

Say = Callable[[str, str], Floats]
STORY = (
    "Once upon a time there was a small house at the edge of a very large forest. "
    "An old clock maker lived there, and every morning he wound a hundred clocks. "
)
QUESTION = "Please tell me what the weather will be like tomorrow."
USER_S = 6.0


@pytest.fixture(scope="module")
def periods(say: Say) -> list[ProcessedPeriod]:
    """A user speaks over the second half of a story."""
    scene = room(say("slt", STORY), user=say("rms", QUESTION), user_at_s=USER_S, gain=0.4)
    hearing = EchoControl(config.HearingConfig(), lead_ms=40)
    return [hearing.process(*scene.period(i), i / 100) for i in range(scene.periods)]


def test_voice_detector_rests_while_parley_is_alone(periods: list[ProcessedPeriod]) -> None:
    before = periods[300 : round(USER_S * 100)]
    chunks = [heard.voice for heard in before if heard.voice_chunk]
    assert len(chunks) == pytest.approx(len(before) / 3.2, abs=3)  # they end at the same times
    assert np.mean(np.array(chunks) == 0.0) > 0.7


def test_voice_detector_is_awake_before_a_user_holds_the_reply(
    periods: list[ProcessedPeriod],
) -> None:
    after = periods[round(USER_S * 100) :]
    noticed = next(i for i, heard in enumerate(after) if heard.near_end > 0.6)
    judged = next(i for i, heard in enumerate(after) if heard.voice > 0.0)
    voiced = next(i for i, heard in enumerate(after) if heard.voice > 0.5)
    assert judged <= noticed
    assert voiced <= noticed + 10


@pytest.mark.parametrize("canceller", ["software", "hardware"])
def test_voice_detector_never_rests_while_parley_is_silent(canceller: str) -> None:
    hearing = EchoControl(config.HearingConfig(canceller=canceller))  # type: ignore[arg-type]
    around, silence = pcm(noise(3 * 16_000, 0.01)), np.zeros(160, np.int16)
    pieces = np.split(around, 300)
    heard = [hearing.process(piece, silence, i / 100) for i, piece in enumerate(pieces)][200:]
    assert max(period.near_end for period in heard) < 0.1
    assert all(period.voice > 0.0 for period in heard)
