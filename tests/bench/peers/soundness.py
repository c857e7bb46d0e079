"""Whether the rig kept up in a cell: a cell in which it did not is thrown away."""

from dataclasses import dataclass

import numpy as np

from parleyd.audio import Doubles
from parleyd.simulation.convolution import Signal
from parleyd.simulation.waveform_match import Mask
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, Frames

LATE_MS = 30.0
"""A period that is later than this spoils the seconds around it; clients have longer buffers."""
MOST_SPOILED = 5
MOST_OFTEN_LATE_MS = 30.0  # 1 % of the periods
PROBE_FRAMES = 1600
MOST_APART = 100  # late periods within a second are one stretch


@dataclass(frozen=True, slots=True)
class Soundness:
    """Figures of the rig; the delays and the lateness are in milliseconds."""

    spoiled: list[int]
    """Frames at which a stretch of late periods begins."""
    often_late_ms: float
    lost_frames: int
    """Frames of the microphone that its recording lacks, or has too many."""
    delay_ms: float
    """From the room to a client's microphone, median."""
    overruns: int

    def faults(self) -> list[str]:
        """Return the reasons to throw the cell away."""
        found = {
            f"periods were late in {len(self.spoiled)} places": len(self.spoiled) > MOST_SPOILED,
            f"1 % of the periods were {self.often_late_ms:.0f} ms late": (
                self.often_late_ms > MOST_OFTEN_LATE_MS
            ),
            f"the microphone lost {self.lost_frames} frames": self.lost_frames > 0,
            f"the microphone's pipe was full {self.overruns} times": self.overruns > 0,
        }
        return [reason for reason, holds in found.items() if holds]


def soundness(
    came_at: Doubles,
    microphone: Frames,
    check: Frames,
    check_came_at: Doubles,
    during: tuple[float, float],
    overruns: int,
) -> Soundness:
    """Judge a cell.

    `came_at`: seconds at which the room's periods were made; `check`: the microphone as a
    client records it; `during`: the measured time, in the same seconds.
    """
    measured = (came_at >= during[0]) & (came_at <= during[1])
    late = lateness_ms(came_at[measured])
    begun = first_place(microphone, check)
    lost = len(check) if begun is None else _different(microphone[begun:], check)
    return Soundness(
        spoiled=[int(period) * MIC_PERIOD_FRAMES for period in _beginnings(came_at, measured)],
        often_late_ms=float(np.percentile(late, 99)) if len(late) else 0.0,
        lost_frames=lost,
        delay_ms=_delay_ms(came_at, check_came_at, begun or 0),
        overruns=overruns,
    )


def _beginnings(came_at: Doubles, measured: Mask) -> list[int]:
    first = int(np.argmax(measured))
    late = np.flatnonzero(lateness_ms(came_at[measured]) > LATE_MS)
    apart = np.diff(late, prepend=-MOST_APART) >= MOST_APART
    return [first + int(period) for period in late[apart]]


def lateness_ms(came_at: Doubles) -> Signal:
    """Return how late each period is against a steady clock; the median is 0.

    The clock may be faster than the processor's: a client that often restarts its stream makes
    PulseAudio's loudspeaker run fast.
    """
    if len(came_at) < 2:
        return np.zeros(len(came_at))
    count = np.arange(len(came_at))
    steady = 1000 * came_at - PERIOD_MS * count
    steady -= np.polyval(np.polyfit(count, steady, 1), count)
    return np.asarray(steady - np.median(steady))


def first_place(whole: Frames, part: Frames) -> int | None:
    """Return the place in `whole` at which `part` begins; None if it is not in there."""
    probe = part[:PROBE_FRAMES]
    if len(probe) < PROBE_FRAMES:
        return None
    for place in np.flatnonzero(whole[: len(whole) - PROBE_FRAMES + 1] == probe[0]):
        if np.array_equal(whole[place : place + PROBE_FRAMES], probe):
            return int(place)
    return None


def _different(written: Frames, recorded: Frames) -> int:
    count = min(len(written), len(recorded))
    return int(np.count_nonzero(written[:count] != recorded[:count]))


def _delay_ms(came_at: Doubles, check_came_at: Doubles, begun: int) -> float:
    """Return the median time from a sample's writing to its arrival at the recorder."""
    last = begun + (np.arange(len(check_came_at)) + 1) * MIC_PERIOD_FRAMES - 1
    period = last // MIC_PERIOD_FRAMES
    known = period < len(came_at)
    return 1000 * float(np.median(check_came_at[known] - came_at[period[known]]))
