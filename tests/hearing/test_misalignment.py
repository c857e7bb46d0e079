"""An echo whose delay jumps is noticed by itself, and cancelled again with what was learned."""

from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.audio import level_dbfs
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.echo_control import EchoControl
from parleyd.units import Floats, Frames
from tests.hearing.echo_rooms import room

Say = Callable[..., Floats]
STORY = (
    "The baker opened his shop at five in the morning, as his father had done, and before him the "
    "father of his father. Nobody in the village could remember another baker, and nobody wished."
)
JUMP_S = 7.0


def heard_after_a_jump(spoken: Floats, by_ms: float) -> list[tuple[Frames, ProcessedPeriod]]:
    """Return the periods of an echo of 60 ms that comes later or earlier from `JUMP_S` on."""
    near, far = room(spoken), room(spoken, delay_ms=60.0 + by_ms)
    hearing = EchoControl(config.HearingConfig(), lead_ms=15)
    periods = []
    for i in range(near.periods):
        mic, reference = (far if i >= JUMP_S * 100 else near).period(i)
        periods.append((mic, hearing.process(mic, reference, i / 100)))
    return periods


def removed_db(
    periods: list[tuple[Frames, ProcessedPeriod]], begin_s: float, end_s: float
) -> float:
    part = periods[round(begin_s * 100) : round(end_s * 100)]
    loud = [(mic, heard) for mic, heard in part if level_dbfs(mic) > -45]
    assert len(loud) > 20
    return float(np.mean([level_dbfs(mic) - heard.level_dbfs for mic, heard in loud]))


@pytest.fixture(scope="module")
def spoken(say: Say) -> Floats:
    return say("slt", STORY)


@pytest.mark.parametrize("by_ms", [-30.0, -10.0, 10.0, 40.0])
def test_jump_is_distrusted_at_once_and_cancelled_within_a_second(
    spoken: Floats, by_ms: float
) -> None:
    periods = heard_after_a_jump(spoken, by_ms)
    jump = round(JUMP_S * 100)
    assert all(heard.trusted for _, heard in periods[jump - 200 : jump])
    assert not all(heard.trusted for _, heard in periods[jump : jump + 25])
    before_db = removed_db(periods, JUMP_S - 2.0, JUMP_S)
    assert removed_db(periods, JUMP_S + 1.0, JUMP_S + 2.0) > before_db - 6.0


def test_user_is_no_jump(say: Say, spoken: Floats) -> None:
    user = say("rms", "No wait, tell me about the trains to the north.")
    scene = room(spoken, user=user, user_at_s=JUMP_S)
    hearing = EchoControl(config.HearingConfig(), lead_ms=15)
    trusted = [hearing.process(*scene.period(i), i / 100).trusted for i in range(scene.periods)]
    assert all(trusted[200:])
