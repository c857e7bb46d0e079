"""Noises that corpora lack: struck, rubbed and poured things, hums and beeps."""

from collections.abc import Callable
from functools import partial

import numpy as np
import soxr

from parleyd.simulation import clips
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.air import convolved
from tests.bench.hearing.material import RoomPaths

SECONDS = 30
Random = np.random.Generator


def household(recorded: list[Frames], rooms: list[RoomPaths], random: Random) -> Frames:
    """Return half a minute of an imaginary household: a steady bed with events, RMS arbitrary.

    The events are a few of `recorded`, synthesised ones, or both, placed in one of the rooms.
    """
    bed = _bed(random)
    events = np.zeros(len(bed))
    draw: list[Callable[[Random], Signal]] = []
    if recorded and random.random() < 0.7:
        few = random.choice(len(recorded), size=int(random.integers(1, 9)))
        draw += [partial(_played, recorded[int(n)]) for n in few]
    if not draw or random.random() < 0.3:
        few = random.choice(len(_EVENTS), size=int(random.integers(1, 4)), replace=False)
        draw += [_EVENTS[int(n)] for n in few]
    loudest = random.uniform(2.0, 14.0)
    for _ in range(int(random.uniform(0.2, 3.0) * SECONDS)):
        event = draw[int(random.integers(len(draw)))](random)
        event = event * random.uniform(1.0, loudest) / max(np.sqrt(np.mean(event**2)), 1e-9)
        start = int(random.integers(len(bed) - len(event)))
        events[start : start + len(event)] += event
    room = rooms[int(random.integers(len(rooms)))]
    path = room.users[int(random.integers(len(room.users)))]
    return _frames(bed + convolved(events, path / np.sqrt(np.sum(path**2))))


def _played(sound: Frames, random: Random) -> Signal:
    """Return a recorded event with a small pitch shift, cut at four seconds."""
    speed = random.uniform(0.85, 1.18)
    event = np.asarray(soxr.resample(sound / 32768.0, MIC_RATE_HZ, MIC_RATE_HZ * speed))
    return event[: 4 * MIC_RATE_HZ]


def _bed(random: Random) -> Signal:
    count = SECONDS * MIC_RATE_HZ
    bed = _coloured(random.standard_normal(count), random.uniform(-6, 0))
    time_s = np.arange(count) / MIC_RATE_HZ
    bed *= 1 + random.uniform(0, 0.6) * np.sin(2 * np.pi * random.uniform(0.05, 4) * time_s)
    if random.random() < 0.4:  # a fan, a fridge
        base_hz = random.uniform(48, 240)
        for k in range(1, 6):
            level = random.uniform(0, 1.0) / k
            bed += level * np.sin(2 * np.pi * k * base_hz * time_s + random.uniform(0, 6))
    return bed


def _coloured(sound: Signal, db_per_octave: float) -> Signal:
    spectrum = np.fft.rfft(sound)
    hz = np.maximum(np.fft.rfftfreq(len(sound), 1 / MIC_RATE_HZ), 40.0)
    coloured = np.fft.irfft(spectrum * (hz / 1000) ** (db_per_octave / 6.02), len(sound))
    return np.asarray(coloured / np.sqrt(np.mean(coloured**2)))


def _struck(random: Random) -> Signal:
    """Synthesise plates, cutlery, wood: a few modes struck together, once or a few times."""
    time_s = np.arange(int(0.4 * MIC_RATE_HZ)) / MIC_RATE_HZ
    low, high = random.choice([(120, 900), (400, 3000), (1200, 7000)])
    decay_s = random.uniform(0.004, 0.12)
    blow = np.zeros_like(time_s)
    for _ in range(int(random.integers(2, 9))):
        hz = low * (high / low) ** random.random()
        ring = np.exp(-time_s / (decay_s * random.uniform(0.3, 1.5)))
        blow += random.uniform(0.2, 1) * ring * np.sin(2 * np.pi * hz * time_s)
    blow += random.uniform(0, 2) * random.standard_normal(len(blow)) * np.exp(-time_s / 0.004)
    sound = np.zeros(MIC_RATE_HZ)
    for _ in range(int(random.integers(1, 5))):
        start = int(random.integers(0, int(0.6 * MIC_RATE_HZ)))
        sound[start : start + len(blow)] += random.uniform(0.3, 1) * blow
    return sound


def _rubbed(random: Random) -> Signal:
    """Synthesise paper, cloth, steps, a tap: band noise, gated at some pace."""
    count = int(random.uniform(0.08, 1.2) * MIC_RATE_HZ)
    spectrum = np.fft.rfft(random.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / MIC_RATE_HZ)
    centre, width = 300 * 20 ** random.random(), random.uniform(0.3, 1.2)
    shape = np.exp(-((np.log(np.maximum(hz, 20) / centre) / width) ** 2))
    time_s = np.arange(count) / MIC_RATE_HZ
    attack_s, end_s = random.uniform(0.002, 0.1), count / MIC_RATE_HZ
    envelope = (1 - np.exp(-time_s / attack_s)) * (1 - time_s / end_s)
    flutter = 1 + random.uniform(0, 1) * np.sin(2 * np.pi * random.uniform(3, 30) * time_s)
    return np.asarray(np.fft.irfft(spectrum * shape, count) * envelope * flutter)


def _beep(random: Random) -> Signal:
    """Synthesise a microwave, a phone, a squeaking chair: steady or gliding tones."""
    count = int(random.uniform(0.06, 0.8) * MIC_RATE_HZ)
    glide = 1 + random.choice([0.0, 0.0, 1.0]) * random.uniform(-0.3, 0.3) * np.linspace(
        0, 1, count
    )
    phase = 2 * np.pi * np.cumsum(400 * 10 ** random.random() * glide) / MIC_RATE_HZ
    tone = sum(random.uniform(0, 1) / k * np.sin(k * phase) for k in range(1, 4))
    edge = np.minimum(1, np.arange(count) / random.uniform(20, 400))
    return np.asarray(tone * edge * edge[::-1])


def _knock(random: Random) -> Signal:
    return clips.knock(seed=int(random.integers(1 << 31))) / 32768.0


_EVENTS = (_struck, _struck, _rubbed, _beep, _knock)


def _frames(sound: Signal) -> Frames:
    loudest = np.max(np.abs(sound))
    return np.asarray(np.rint(30000 * sound / loudest), np.int16)
