"""Calibrations in simulated rooms, each measured once."""

import atexit
from functools import cache, partial

from msgspec import structs

from parleyd import config
from parleyd.calibration.figures import Calibrated, SweepFigures, WordFigures
from parleyd.calibration.judging import changes, judge
from parleyd.calibration.measuring import volumes
from parleyd.calibration.verdict import Installation
from parleyd.simulation.calibrating import SimulatedMeasurer
from parleyd.simulation.card import InjectedFault
from parleyd.simulation.rooms import ROOMS, Flaws, RoomPlan
from parleyd.wake.micro import Micro

AUDIO = config.AudioConfig(playback_rate_hz=16000)
"""The microphone's rate, which spares the simulation half of its work."""
LOUD = Installation(volume=80, configured_volume=80, middle_cutoff=0.8)
jarvis = partial(Micro, ("hey_jarvis",))


def measurer(
    plan: RoomPlan, audio: config.AudioConfig = AUDIO, faults: tuple[InjectedFault, ...] = ()
) -> SimulatedMeasurer:
    return SimulatedMeasurer(plan, audio, jarvis, faults=faults)


def measured(name: str, words: int = 0) -> Calibrated:
    """Calibrate in a room of `ROOMS`; only words that no test has needed before are spoken."""
    measuring, calibrated, said = _begun(name)
    while len(said) < words:
        said.append(measuring.word())
    return structs.replace(calibrated, words=tuple(said[:words]))


@cache
def _begun(name: str) -> tuple[SimulatedMeasurer, Calibrated, list[WordFigures]]:
    measuring = measurer(ROOMS[name])
    atexit.register(measuring.close)
    return measuring, _without_words(measuring), []


def calibrate(plan: RoomPlan) -> Calibrated:
    return _without_words(measurer(plan))


def _without_words(measuring: SimulatedMeasurer) -> Calibrated:
    return Calibrated(silence=measuring.silence(), sweeps=measuring.sweeps(volumes(80)))


def wrong(calibrated: Calibrated, installation: Installation = LOUD) -> set[str]:
    """The names of all verdicts but the good ones."""
    return {v.name for v in judge(calibrated, installation) if v.grade != "good"}


def suggested(calibrated: Calibrated, installation: Installation = LOUD) -> dict[str, object]:
    return {change.key: change.value for change in changes(calibrated, installation)}


def loudest(calibrated: Calibrated) -> SweepFigures:
    return max(calibrated.sweeps.sweeps, key=lambda sweep: sweep.volume)


def with_flaws(name: str, **flaws: object) -> RoomPlan:
    """A room of `ROOMS` with one more flaw of its microphone or loudspeaker."""
    plan = ROOMS[name]
    both = {field: getattr(plan.flaws, field) for field in Flaws.__slots__} | flaws
    return RoomPlan(
        plan.what,
        Flaws(**both),
        plan.echo_gain_db,
        plan.echo_delay_ms,
        plan.rt60_s,
        plan.noise_dbfs,
        plan.drift_ppm,
        plan.user_dbfs,
        plan.says,
    )


def said(calibrated: Calibrated, **changed: object) -> Calibrated:
    """The same calibration with other figures."""
    return structs.replace(calibrated, **changed)
