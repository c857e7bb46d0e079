"""A sound server between the core and the air: dropouts, and a new delay for each answer.

Measured with the daemon over PulseAudio: between two answers the delay changed by 4 to 40 ms,
because the server fills its buffers anew; where it was late, the microphone delivered 14 and 25
ms of digital silence, and all later sound came that much later. ALSA's plugin reports none of it.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS

_NEW_MS = 20.0  # the largest distance of an answer's delay from the usual one
_GAP_MS = (10.0, 40.0)
_EVERY_S = (15.0, 45.0)
_PAUSE_PERIODS = 100  # of silence, longer than between two sentences: a new answer
_KINDS: tuple["Kind", ...] = ("loudspeaker late", "microphone late", "microphone lost")

Kind = Literal["loudspeaker late", "microphone late", "microphone lost"]


class SoundServer:
    """Delays and interrupts both streams of one session; its numbers follow from `seed`."""

    def __init__(self, seed: tuple[int, ...]) -> None:
        self._random = np.random.default_rng((*seed, 5))
        self._silent = _PAUSE_PERIODS
        self._at_ms = self._late_ms = 0.0  # of the loudspeaker: usual delay, and now
        self._muted = 0  # periods in which the loudspeaker has nothing to play
        self._line = np.zeros(0)  # of the microphone: heard, but not yet captured
        self._periods = 0
        self._dropouts = self._drawn()
        self._next = next(self._dropouts)

    def played(self, sound: Signal) -> tuple[Signal, float]:
        """Return what the loudspeaker plays of the next period, and how many ms later its sound
        comes from here on."""
        restarts = self._silent >= _PAUSE_PERIODS and bool(sound.any())
        self._silent = 0 if sound.any() else self._silent + 1
        before_ms = self._late_ms
        if restarts:
            self._late_ms = float(self._random.uniform(-_NEW_MS, _NEW_MS))
        self._periods += 1
        at_s, kind, ms = self._next
        if self._periods * PERIOD_MS >= at_s * 1000:
            self._next = next(self._dropouts)
            self._drop(kind, ms)
        self._muted = max(0, self._muted - 1)
        return sound * (self._muted == 0), self._late_ms - before_ms

    def captured(self, sound: Signal) -> Signal:
        """Return the microphone's next period, of which the server may have more in store."""
        self._line = np.concatenate((self._line, sound))
        period, self._line = self._line[:MIC_PERIOD_FRAMES], self._line[MIC_PERIOD_FRAMES:]
        return period

    def _drop(self, kind: Kind, ms: float) -> None:
        frames = round(ms * MIC_RATE_HZ / 1000)
        match kind:
            case "loudspeaker late":
                self._late_ms += ms
                self._muted = round(ms / PERIOD_MS) + 1
            case "microphone late":
                self._line = np.concatenate((self._line, np.zeros(frames)))
            case "microphone lost":
                self._line = self._line[frames:]  # nothing, if the server has nothing in store

    def _drawn(self) -> Iterator[tuple[float, Kind, float]]:
        at_s = 0.0
        while True:
            at_s += float(self._random.uniform(*_EVERY_S))
            kind = _KINDS[int(self._random.integers(len(_KINDS)))]
            yield at_s, kind, float(self._random.uniform(*_GAP_MS))
