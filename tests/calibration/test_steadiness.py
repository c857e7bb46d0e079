"""A delay that jumps while a sweep plays is no flaw of loudspeaker, room or microphone."""

import pytest
from msgspec.structs import replace

from parleyd import config
from parleyd.calibration.judging import judge
from parleyd.calibration.measuring import volumes
from parleyd.cli import calibrate as command
from parleyd.cli.calibration_screen import CalibrationScreen
from parleyd.simulation.card import EchoShift
from parleyd.simulation.rooms import ROOMS
from tests.calibration.calibrating_rig import LOUD, measured, measurer, said, suggested, wrong


@pytest.mark.parametrize("at_s", [1.5, 8.0, 11.0])
def test_jump_is_judged_as_nothing_else(at_s: float) -> None:
    """In the first, the loudest and the last sweep; after the first, the delays agree."""
    jumping = measurer(ROOMS["healthy"], faults=(EchoShift(at_s=at_s, ms=40),))
    calibrated = said(measured("healthy"), sweeps=jumping.sweeps(volumes(80)))
    assert max(s.distortion_db or -99.0 for s in calibrated.sweeps.sweeps) > -20.0
    assert wrong(calibrated) == {"unsteady_delay"}
    assert suggested(calibrated) == {}


def test_jump_is_measured_again() -> None:
    jumping = measurer(ROOMS["healthy"], faults=(EchoShift(at_s=7.8, ms=40),))
    screen = CalibrationScreen(as_json=True)
    calibrated = command._measure(jumping, config.Config(), 80, screen, words=False)
    assert {round(sweep.delay_ms or 0) for sweep in calibrated.sweeps.sweeps} == {52}
    assert wrong(calibrated) == set()
    assert jumping.card.now > 28


def test_delay_that_always_jumps_is_named_with_its_size() -> None:
    healthy = measured("healthy")
    first, *others = healthy.sweeps.sweeps
    swept = replace(healthy.sweeps, sweeps=(replace(first, delay_ms=563.0), *others))
    (verdict,) = [v for v in judge(said(healthy, sweeps=swept), LOUD) if v.grade != "good"]
    assert "jumped by 551 ms" in verdict.text
