"""Background noises: endless, calibrated in dBFS, reproducible from their seed."""

from typing import Literal

import numpy as np

from parleyd.audio import db_to_gain
from parleyd.simulation.convolution import Convolver, Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ

NoiseKind = Literal["silence", "pink", "kitchen"]

PINK_TAPS = 2048  # straight down to 8 Hz, far below a small microphone's range
HUM_HZ = (100.0, 200.0, 300.0)  # an extractor fan on 50 Hz mains
CLATTERS_PER_S = 0.7  # dishes in a kitchen that is being tidied


class Noise:
    """One noise source at the microphone; `dbfs` is the RMS of its steady part.

    ``kitchen`` is pink noise that varies by some dB, with a fan's hum and a clatter of dishes
    that peaks 6 to 18 dB above the steady part.
    """

    def __init__(self, kind: NoiseKind, dbfs: float, *, seed: int) -> None:
        self._kind = kind
        self._gain = db_to_gain(dbfs)
        self._random = np.random.default_rng(seed)
        self._pink = Convolver(_pink_impulse())
        self._frame = 0
        self._alarm_sound = np.zeros(0)

    def period(self) -> Signal:
        """Return the next 10 ms: 160 frames at 16 kHz."""
        if self._kind == "silence":
            return np.zeros(MIC_PERIOD_FRAMES)
        pink = self._pink.process(self._random.standard_normal(MIC_PERIOD_FRAMES))
        if self._kind == "pink":
            return np.asarray(self._gain * pink)
        time_s = (self._frame + np.arange(MIC_PERIOD_FRAMES)) / MIC_RATE_HZ
        self._frame += MIC_PERIOD_FRAMES
        swell = 1.0 + 0.3 * np.sin(2 * np.pi * 0.13 * time_s)
        hum = sum(np.sin(2 * np.pi * hz * time_s) / n for n, hz in enumerate(HUM_HZ, start=2))
        return np.asarray(self._gain * (0.9 * swell * pink + 0.4 * hum + self._clatter()))

    def _clatter(self) -> Signal:
        if self._random.random() < CLATTERS_PER_S * MIC_PERIOD_FRAMES / MIC_RATE_HZ:
            clatter = _clatter(self._random)
            if len(clatter) < len(self._alarm_sound):
                clatter, self._alarm_sound = self._alarm_sound, clatter
            clatter[: len(self._alarm_sound)] += self._alarm_sound
            self._alarm_sound = clatter
        now = np.zeros(MIC_PERIOD_FRAMES)
        taken = self._alarm_sound[:MIC_PERIOD_FRAMES]
        now[: len(taken)] = taken
        self._alarm_sound = self._alarm_sound[MIC_PERIOD_FRAMES:]
        return now


def _pink_impulse() -> Signal:
    """Return the half integrator (1 - 1/z)^(-1/2): -3 dB per octave (Hosking 1981), unit energy."""
    k = np.arange(1, PINK_TAPS)
    impulse = np.concatenate(([1.0], np.cumprod((k - 0.5) / k)))
    impulse -= impulse.mean()
    return np.asarray(impulse / np.sqrt(np.sum(impulse**2)))


def _clatter(random: np.random.Generator) -> Signal:
    """Return a plate on a table: three resonances at once, 0.3 s, peak 2 to 8."""
    time_s = np.arange(int(0.3 * MIC_RATE_HZ)) / MIC_RATE_HZ
    struck = np.zeros_like(time_s)
    for _ in range(3):
        hz, decay_s = random.uniform(1200, 5500), random.uniform(0.015, 0.06)
        struck += np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s / decay_s)
    return np.asarray(struck * random.uniform(2.0, 8.0) / np.max(np.abs(struck)))
