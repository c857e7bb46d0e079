"""A small synthetic room with echo, sufficient to test a canceller."""

from dataclasses import dataclass

import numpy as np

from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Floats, Frames


@dataclass
class Room:
    """The signals of a loudspeaker, and of a microphone with its echo, a user and noise."""

    mic: Frames
    reference: Frames
    echo: Floats
    rest: Floats
    """The microphone's signal without the echo."""

    @property
    def periods(self) -> int:
        return len(self.mic) // MIC_PERIOD_FRAMES

    def period(self, index: int) -> tuple[Frames, Frames]:
        part = slice(index * MIC_PERIOD_FRAMES, (index + 1) * MIC_PERIOD_FRAMES)
        return self.mic[part], self.reference[part]


def pcm(samples: Floats) -> Frames:
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)


def noise(frames: int, rms: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0.0, rms, frames).astype(np.float32)


def echo_path(delay_ms: float, rt60_s: float = 0.25, seed: int = 5) -> Floats:
    """Return a loud direct path and exponentially decaying reflections (Moorer 1979); energy 1."""
    taps = np.arange(int(1.2 * rt60_s * MIC_RATE_HZ))
    tail = np.random.default_rng(seed).normal(size=len(taps)) * 10 ** (
        -3 * taps / rt60_s / MIC_RATE_HZ
    )
    tail[0] = 8.0
    path = np.concatenate([np.zeros(int(delay_ms * 16)), tail])
    return (path / np.sqrt(np.sum(path**2))).astype(np.float32)


def convolve(signal: Floats, path: Floats) -> Floats:
    size = 1 << (len(signal) + len(path)).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.fft.rfft(path, size)
    return np.fft.irfft(spectrum, size)[: len(signal)].astype(np.float32)


def room(
    spoken: Floats,
    *,
    user: Floats | None = None,
    user_at_s: float = 0.0,
    delay_ms: float = 60.0,
    gain: float = 1.0,
    noise_rms: float = 0.0003,
    path_seed: int = 5,
) -> Room:
    """Return a room with the echo of `spoken` after `delay_ms`; `user` is added unchanged."""
    spoken = spoken[: len(spoken) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]
    echo = convolve(spoken, echo_path(delay_ms, seed=path_seed)) * np.float32(gain)
    rest = noise(len(spoken), noise_rms, seed=9)
    if user is not None:
        start = int(user_at_s * MIC_RATE_HZ)
        part = user[: len(rest) - start]
        rest[start : start + len(part)] += part
    return Room(pcm(echo + rest), pcm(spoken), echo, rest)
