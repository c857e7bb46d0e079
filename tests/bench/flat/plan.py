"""The flat: rooms, doors, microphones and talkers, and the sound of a word at each microphone.

Levels and doors come from textbooks, not from a flat: direct sound falls with the square of the
distance, the room's reverberation is as loud as the direct sound at `CRITICAL_M`, a hollow door
takes 12 dB of the low and 28 dB of the high frequencies, an open one 4 to 15 dB, a wide opening
without a door 1 to 7 dB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parleyd.audio import db_to_gain, float_to_int16
from parleyd.simulation.acoustics import impulse_response
from parleyd.simulation.convolution import Signal
from parleyd.simulation.noise import Noise
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames

TWO_METRES_DBFS = -38.0  # a user at that distance, at a microphone of gain 0
CRITICAL_M = 1.2  # here the reverberation is as loud as the direct sound
BANDS_HZ = (0, 125, 250, 500, 1000, 2000, 4000, 8000)
OPENINGS_DB = {
    "wide": (1, 2, 2, 3, 4, 5, 6, 7),
    "open": (4, 5, 6, 7, 9, 11, 13, 15),
    "closed": (12, 14, 16, 19, 22, 25, 27, 28),
}
TURNED_DB = (0, 0, 0, 1, 2, 4, 6, 8)  # a head that looks away
FILTER_FRAMES = 512
GAIN_SPREAD_DB = 6.0  # in both directions
BEFORE_S, AFTER_S = 0.9, 1.3  # of silence around each word


@dataclass(frozen=True, slots=True)
class Furnished:
    """One room, and its speaker."""

    gain_db: float
    """Of the microphone."""
    treble_db: float
    """Of the microphone, more or less at 8 kHz than at 1 kHz."""
    noise_dbfs: float
    kitchen: bool
    """It has a kitchen's noise."""
    rt60_s: float
    latency_ms: float
    """Of the sound card."""
    seed: int


@dataclass(frozen=True, slots=True)
class Call:
    """Where the talker says a wake word."""

    room: int
    doorway: bool
    """They stand in the door to the next room: its speaker is as right."""
    opening: str
    """Between the rooms, as in `OPENINGS_DB`."""
    distances_m: tuple[float, float]
    """To the speaker of the room, and in a doorway to the next room's."""
    voice_db: float
    """Of the talker, over the usual voice."""
    turned: tuple[float, ...]
    """For each room: how far the talker looks away from its speaker, 0 to 1."""
    clip: int
    seed: int

    @property
    def right(self) -> tuple[int, ...]:
        """The rooms whose speaker should answer."""
        return (self.room, self.room + 1) if self.doorway else (self.room,)


def furnish(rooms: int, seed: int) -> list[Furnished]:
    """Return rooms with different microphones."""
    random = np.random.default_rng(seed)
    return [
        Furnished(
            gain_db=float(random.uniform(-GAIN_SPREAD_DB, GAIN_SPREAD_DB)),
            treble_db=float(random.uniform(-4, 4)),
            noise_dbfs=float(random.uniform(-68, -55)),
            kitchen=room == 0,
            rt60_s=float(random.uniform(0.25, 0.6)),
            latency_ms=float(random.uniform(0, 40)),
            seed=seed * 100 + room,
        )
        for room in range(rooms)
    ]


def calls(rooms: int, count: int, clips: int, seed: int) -> list[Call]:
    """Return talkers in all rooms, a fifth of them in doorways."""
    random = np.random.default_rng((seed, 7))
    found = []
    for number in range(count):
        doorway = random.random() < 0.2
        near_m = random.uniform(1.8, 3.5) if doorway else random.uniform(0.7, 4.0)
        found.append(
            Call(
                room=int(random.integers(rooms - 1 if doorway else rooms)),
                doorway=doorway,
                opening="open" if doorway else str(random.choice(list(OPENINGS_DB))),
                distances_m=(float(near_m), float(random.uniform(1.8, 3.5))),
                voice_db=float(random.normal(0, 3)),
                turned=tuple(float(turn) for turn in random.uniform(0, 1, rooms)),
                clip=int(random.integers(clips)),
                seed=seed * 1000 + number,
            )
        )
    return found


def at_microphones(plan: list[Furnished], call: Call, word: Frames) -> list[Frames]:
    """Return the sound of the call at each speaker: int16 at 16 kHz, whole periods.

    `word`: the clip, at an active level of `TWO_METRES_DBFS`.
    """
    before = np.zeros(int(BEFORE_S * MIC_RATE_HZ))
    dry = np.concatenate([before, word / 32768.0, np.zeros(int(AFTER_S * MIC_RATE_HZ))])
    return [_at(plan, room, call, dry) for room in range(len(plan))]


def _at(plan: list[Furnished], room: int, call: Call, dry: Signal) -> Frames:
    here = plan[room]
    late = round(here.latency_ms * MIC_RATE_HZ / 1000)
    path = np.concatenate([np.zeros(late), _path(plan, room, call)])
    length = -(-len(dry) // MIC_PERIOD_FRAMES) * MIC_PERIOD_FRAMES
    size = 1 << (length + len(path)).bit_length()
    sound = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(path, size))[:length]
    noise = Noise("kitchen" if here.kitchen else "pink", here.noise_dbfs, seed=call.seed + room)
    air = np.concatenate([noise.period() for _ in range(length // MIC_PERIOD_FRAMES)])
    microphone = _filter(
        [-here.treble_db * max(0.0, np.log2(hz / 1000)) / 3 if hz else 0.0 for hz in BANDS_HZ]
    )
    heard = np.convolve(sound + air, microphone)[:length]
    return float_to_int16(db_to_gain(here.gain_db) * heard)


def _path(plan: list[Furnished], room: int, call: Call) -> Signal:
    """The impulse response from the talker to the speaker of a room."""
    impulse = impulse_response(seed=call.seed * 10 + room, rt60_s=plan[room].rt60_s)
    direct, tail = impulse[:1], np.concatenate([[0.0], impulse[1:]])
    tail /= np.sqrt(np.sum(tail**2))
    turned = _filter(tuple(call.turned[room] * db for db in TURNED_DB))
    doors = _doors_between(room, call)
    distance_m = call.distances_m[0 if room == call.room else 1]
    near = 2.0 / distance_m if doors == 0 else 0.0
    reverberant = 2.0 / CRITICAL_M
    path = reverberant * tail
    if near:
        path = _sum(path, near * np.convolve(direct / direct[0], turned))
    for _ in range(doors):
        path = np.convolve(path, _filter(OPENINGS_DB[call.opening]))
    usual = np.sqrt(1.0 + reverberant**2)  # of a user at two metres
    return np.asarray(db_to_gain(call.voice_db) * path / usual)


def _doors_between(room: int, call: Call) -> int:
    return min(abs(room - right) for right in call.right)


def _filter(lost_db: Sequence[float]) -> Signal:
    """A filter of minimum phase that takes these dB at `BANDS_HZ`."""
    hz = np.fft.rfftfreq(FILTER_FRAMES, 1 / MIC_RATE_HZ)
    log_gain = -np.interp(hz, BANDS_HZ, lost_db) * np.log(10) / 20
    cepstrum = np.fft.irfft(log_gain)
    half = FILTER_FRAMES // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))


def _sum(one: Signal, other: Signal) -> Signal:
    total = np.zeros(max(len(one), len(other)))
    total[: len(one)] += one
    total[: len(other)] += other
    return total
