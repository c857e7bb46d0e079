"""Whether the delay jumped while sweeps played. Pure.

A sweep that breaks in two resembles distortion and a long echo, and has a wrong level.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from parleyd.calibration.figures import SweepFigures, SweepsFigures
from parleyd.calibration.interrupting import reliable
from parleyd.calibration.verdict import Grade, Verdict

DISTORTS_DB = -20.0  # 10 %: the bench has loudspeakers down to this, and they work less well
CLIPPED = 3  # flat places
_CLEANER_DB = 10.0  # no loudspeaker is so much cleaner at a higher volume
_JUMP_MS = 3.0  # queues are read to a period; the median of a second is steady to 1 ms


def unsteady(measured: SweepsFigures) -> bool:
    """Whether a sweep broke: by the delays, or by distortion that a higher volume lacks."""
    sweeps = reliable(measured.sweeps)
    judged = [
        (sweep.volume, sweep.distortion_db)
        for sweep in sweeps
        if sweep.distortion_db is not None and sweep.clipped_runs < CLIPPED
    ]
    return _jump_ms(sweeps) > _JUMP_MS or any(
        db > DISTORTS_DB and higher >= volume and other < db - _CLEANER_DB
        for volume, db in judged
        for higher, other in judged
    )


def without_broken(measured: SweepsFigures) -> SweepsFigures:
    """The figures of an unsteady measurement that can be judged: levels and delays."""
    whole = [s for s in measured.sweeps if (s.distortion_db or 0.0) <= DISTORTS_DB]
    sweeps = tuple(
        replace(sweep, distortion_db=None, rt60_s=None, late_db=None)
        for sweep in (whole or measured.sweeps)
    )
    return replace(measured, sweeps=sweeps, drift_ppm=None)


def unsteady_verdict(measured: SweepsFigures) -> Verdict:
    """The verdict on a delay that jumped."""
    jump_ms = _jump_ms(reliable(measured.sweeps))
    by = f" by {jump_ms:.0f} ms" if jump_ms > _JUMP_MS else ""
    return Verdict(
        name="unsteady_delay",
        grade=Grade.BETTER,
        text=f"The delay of the loudspeaker jumped{by} during the measurement, and the canceller "
        "must find the echo again each time. Distortion, reverberation and clocks are not judged.",
        remedy="a sound server or Bluetooth does that: use a plughw: device of the card",
    )


def _jump_ms(sweeps: Sequence[SweepFigures]) -> float:
    delays = [sweep.delay_ms for sweep in sweeps if sweep.delay_ms is not None]
    return max(delays, default=0.0) - min(delays, default=0.0)
