"""A microphone that processes its sound, and an echo path that never rests.

Simulated rooms leave 25 to 33 dB less echo behind a linear canceller, real devices about 8 dB:
they gate, control their gain, reduce noise, code, limit the band, clip, and their echo path
wavers. `python -m tests.bench.hearing.device_figures FOLDER` measures recordings; the ranges
below include the figures of four devices (see the README of this folder).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from parleyd.audio import db_to_gain, db_to_power, power_to_db
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS

SHARES = {
    "gate": 0.3, "gain": 0.4, "denoise": 0.3, "codec": 0.4, "clip": 0.2, "band": 0.6,
    "waver": 0.5, "clock": 0.3,
}  # fmt: skip
"""Shares of devices with a trait."""
CLOCK_PPM = (30.0, 150.0)  # measured: 0, 35, 42 and 125
_WAVER_FRAMES = (0.5, 14.0)  # of delay; measured between seconds: 0, 4, 5 and 27
_WAVER_S = (0.3, 3.0)
_WAVER_DB = (0.5, 5.0)  # of gain; standard deviation between seconds: 0.7, 0.9 and 2.2
_LOW_HZ = (60.0, 350.0)  # measured: none to 100; a small capsule begins at 300
_HIGH_HZ = (3400.0, 7600.0)  # measured: 7.0 to 7.6 kHz; a telephone codec has 3.4
_CODEC_DB = (8.0, 35.0)  # noise below the signal of its band; a linear filter of the real
# echoes removes at most 1.1 to 10.6 dB, two of them with users in them
_DENOISE_DB = (6.0, 20.0)
_GATE_UNDER_USER_DB = (8.0, 25.0)
_GATE_DEPTH_DB = (12.0, 40.0)
_GATE_CLOSES_TO_ZERO = 0.5  # share
_GATE_HOLD_S = (0.05, 0.5)
_GATE_RAMP_MS = (5.0, 120.0)
_GAIN_MOST_DB = (6.0, 24.0)
_GAIN_TARGET_DBFS = (-30.0, -20.0)
_GAIN_UP_DB_PER_S = (3.0, 40.0)
_GAIN_DOWN_DB_PER_S = (30.0, 400.0)
_CLIP_OVER_USER_DB = (6.0, 18.0)
_SILENT_DB = -150.0
_FFT = 2 * MIC_PERIOD_FRAMES
_WINDOW = np.sin(np.pi * (np.arange(_FFT) + 0.5) / _FFT)


@dataclass(frozen=True, slots=True)
class Device:
    """One device: the traits it has; the numbers of each follow from `seed`."""

    traits: frozenset[str]
    user_dbfs: float
    """Level of users at the microphone, to which gate and clipping are set."""
    seed: tuple[int, ...]

    @property
    def clock_ppm(self) -> float:
        """The error of the microphone's clock."""
        random = np.random.default_rng((*self.seed, 9))
        ppm = float(random.choice([-1, 1]) * random.uniform(*CLOCK_PPM))
        return ppm if "clock" in self.traits else 0.0

    def microphone(self) -> "Microphone":
        """Return the processing of the microphone's sound, in its first state."""
        return Microphone(self)

    def path(self) -> "WaveringPath | None":
        """Return the wavering of the echo path, in its first state; None if it is steady."""
        return WaveringPath(self) if "waver" in self.traits else None


def of(seed: tuple[int, ...], user_dbfs: float) -> Device:
    """Draw a device with any mixture of traits, at least one; equal seeds, equal devices."""
    random = np.random.default_rng((*seed, 4))
    traits = {trait for trait, share in SHARES.items() if random.random() < share}
    return Device(frozenset(traits or {"codec"}), user_dbfs, seed)


class _Stage(Protocol):
    names: frozenset[str]

    def process(self, sound: Signal) -> Signal: ...


class Microphone:
    """The processing of one microphone; one `process` for each period."""

    def __init__(self, device: Device) -> None:
        random = np.random.default_rng((*device.seed, 7))
        stages: list[_Stage] = [
            _Spectrum(device.traits, random),
            _GainControl(random),
            _Gate(random, device.user_dbfs),
            _Clip(random, device.user_dbfs),
        ]  # all are drawn, so that a device with fewer traits has the same ones
        self._stages = [s for s in stages if s.names & device.traits]
        self.late_periods = int(bool(_Spectrum.names & device.traits))
        """How many periods later the sound comes out."""

    def process(self, sound: Signal) -> Signal:
        """Return the next 160 frames of the processed sound, full scale 1.0."""
        for stage in self._stages:
            sound = stage.process(sound)
        return sound


class WaveringPath:
    """Delays and scales the loudspeaker's sound by two slow random walks."""

    def __init__(self, device: Device) -> None:
        self._random = np.random.default_rng((*device.seed, 8))
        self._frames = float(self._random.uniform(*_WAVER_FRAMES))
        self._gain_db = float(self._random.uniform(*_WAVER_DB))
        self._step = PERIOD_MS / 1000 / float(self._random.uniform(*_WAVER_S))
        self._state = np.zeros(2)
        self._line = np.zeros(int(_WAVER_FRAMES[1]) * 2 + 4 + MIC_PERIOD_FRAMES)

    def process(self, sound: Signal) -> Signal:
        """Return the next period, delayed by 0 to 28 frames."""
        before, self._state = self._state, self._next()
        part = (np.arange(MIC_PERIOD_FRAMES) + 1) / MIC_PERIOD_FRAMES
        delay, gain = (before[:, None] * (1 - part) + self._state[:, None] * part).clip(-1, 1)
        self._line = np.concatenate((self._line[MIC_PERIOD_FRAMES:], sound))
        start = len(self._line) - MIC_PERIOD_FRAMES - 2
        at = start + np.arange(MIC_PERIOD_FRAMES) - self._frames * (1 + delay)
        return _between(self._line, at) * 10 ** (self._gain_db * gain / 20)

    def _next(self) -> Signal:
        """Return the next state of two Ornstein-Uhlenbeck processes, standard deviation 0.5."""
        pull = np.exp(-self._step)
        noise = 0.5 * np.sqrt(1 - pull**2) * self._random.standard_normal(2)
        return self._state * pull + noise


def _between(line: Signal, at: Signal) -> Signal:
    """Interpolate by Catmull-Rom splines."""
    whole = np.floor(at).astype(np.int64)
    t = at - whole
    a, b, c, d = (line[whole + k] for k in (-1, 0, 1, 2))
    cubic = (3.0 * (b - c) + d - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d)
    return b + 0.5 * t * (c - a + t * cubic)


class _Spectrum:
    """Noise reduction, codec noise and band limits in the short-time spectrum."""

    names = frozenset({"denoise", "codec", "band"})

    def __init__(self, traits: frozenset[str], random: np.random.Generator) -> None:
        self._random = random
        hz = np.fft.rfftfreq(_FFT, 1 / MIC_RATE_HZ)
        low, high = random.uniform(*_LOW_HZ), random.uniform(*_HIGH_HZ)
        mask = 1 / np.sqrt((1 + (low / np.maximum(hz, 1)) ** 8) * (1 + (hz / high) ** 24))
        self._mask = mask if "band" in traits else np.ones_like(mask)
        coding = db_to_gain(-random.uniform(*_CODEC_DB))
        self._coding = coding if "codec" in traits else 0.0
        self._least = db_to_gain(-random.uniform(*_DENOISE_DB))
        self._denoises = "denoise" in traits
        self._floor = np.full(len(hz), np.inf)
        self._smooth = np.zeros(len(hz))
        self._before = np.zeros(MIC_PERIOD_FRAMES)
        self._overlap = np.zeros(MIC_PERIOD_FRAMES)

    def process(self, sound: Signal) -> Signal:
        spectrum = np.fft.rfft(_WINDOW * np.concatenate((self._before, sound)))
        self._before = sound
        if self._denoises:
            spectrum = spectrum * self._gain(np.abs(spectrum) ** 2)
        if self._coding:
            bands = np.convolve(np.abs(spectrum), np.full(9, 1 / 9), "same")
            noise = self._random.standard_normal((2, len(bands)))
            spectrum = spectrum + self._coding * bands * (noise[0] + 1j * noise[1])
        both = _WINDOW * np.fft.irfft(spectrum * self._mask)
        out = self._overlap + both[:MIC_PERIOD_FRAMES]
        self._overlap = both[MIC_PERIOD_FRAMES:]
        return out

    def _gain(self, power: Signal) -> Signal:
        """Subtract the noise floor, the slowly rising minimum of the smoothed power."""
        self._smooth = 0.7 * self._smooth + 0.3 * power
        self._floor = np.minimum(self._floor * db_to_gain(0.06), self._smooth)
        rest = 1 - 2.5 * self._floor / (self._smooth + 1e-15)
        return np.maximum(np.sqrt(np.maximum(rest, 0)), self._least)


class _GainControl:
    names = frozenset({"gain"})

    def __init__(self, random: np.random.Generator) -> None:
        self._target = random.uniform(*_GAIN_TARGET_DBFS)
        self._most = random.uniform(*_GAIN_MOST_DB)
        self._up = random.uniform(*_GAIN_UP_DB_PER_S) * PERIOD_MS / 1000
        self._down = random.uniform(*_GAIN_DOWN_DB_PER_S) * PERIOD_MS / 1000
        self._gain_db = self._most / 2

    def process(self, sound: Signal) -> Signal:
        wanted = min(self._target - _dbfs(sound), self._most)
        before = self._gain_db
        self._gain_db += min(max(wanted - before, -self._down), self._up)
        self._gain_db = max(self._gain_db, -self._most)
        return sound * db_to_gain(1.0) ** np.linspace(before, self._gain_db, len(sound))


class _Gate:
    names = frozenset({"gate"})

    def __init__(self, random: np.random.Generator, user_dbfs: float) -> None:
        self._opens_dbfs = user_dbfs - random.uniform(*_GATE_UNDER_USER_DB)
        zero = random.random() < _GATE_CLOSES_TO_ZERO
        depth = random.uniform(*_GATE_DEPTH_DB)
        self._least = 0.0 if zero else db_to_gain(-depth)
        self._hold = round(random.uniform(*_GATE_HOLD_S) * 1000 / PERIOD_MS)
        self._opening = PERIOD_MS / random.uniform(PERIOD_MS, 3 * PERIOD_MS)
        self._closing = PERIOD_MS / random.uniform(*_GATE_RAMP_MS)
        self._since = self._hold
        self._open = 0.0

    def process(self, sound: Signal) -> Signal:
        self._since = 0 if _dbfs(sound) > self._opens_dbfs else self._since + 1
        before = self._open
        change = -self._closing if self._since >= self._hold else self._opening
        self._open = min(max(before + change, 0.0), 1.0)
        share = np.linspace(before, self._open, len(sound))
        return sound * (self._least + (1 - self._least) * share)


class _Clip:
    names = frozenset({"clip"})

    def __init__(self, random: np.random.Generator, user_dbfs: float) -> None:
        self._limit = db_to_gain(user_dbfs + random.uniform(*_CLIP_OVER_USER_DB))
        self._hard = random.random() < 0.5

    def process(self, sound: Signal) -> Signal:
        if self._hard:
            return np.clip(sound, -self._limit, self._limit)
        return self._limit * np.tanh(sound / self._limit)


def _dbfs(sound: Signal) -> float:
    return power_to_db(float(np.mean(sound**2)) + db_to_power(_SILENT_DB))
