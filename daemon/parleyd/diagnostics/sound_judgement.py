"""Judge a recording of the microphone, and whether it holds the tone of the loudspeaker: pure."""

from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np

from parleyd.audio import FULL_SCALE, LEAST_POWER, power_to_db, round_to_int16
from parleyd.units import MIC_RATE_HZ, Frames

CLIPS_AT = 32_700  # some converters stop a little below full scale
CLIPPED_SHARE = 0.001  # a click clips a few frames; a gain that is too high clips in every word
OFFSET_SHARE = 0.03  # of full scale; cheap USB cards have 1 %, more costs room for speech
QUIET_DBFS = -84.0  # two steps of int16: a converter without a microphone
LOUD_DBFS = -20.0  # speech at 1 m has -35 to -25; a room as loud hides it
GATE_FRAMES = MIC_RATE_HZ * 30 // 1000  # the noise of a converter is never exactly zero that long
GATE_SHARE = 0.1

TONE_HZ = 880.0
TONE_S = 0.8
FADE_S = 0.03
WINDOW_FRAMES = 6400  # 0.4 s, so that the tone lies on a line of the spectrum (2.5 Hz apart)
HOP_FRAMES = 1600
HEARD_DB = 15.0  # over the neighbours in the spectrum: noise reaches that once in 10^12 windows
OVER_ROOM_DB = 6.0  # over the same line before the tone: a whistling fan is not the loudspeaker

_LINE = round(TONE_HZ * WINDOW_FRAMES / MIC_RATE_HZ)
_OWN = slice(_LINE - 2, _LINE + 3)  # a Hann window spreads a line as far
_NEIGHBOURS = np.r_[_LINE - 48 : _LINE - 5, _LINE + 6 : _LINE + 49]


class Flaw(Enum):
    """A fault of a recording."""

    DEAD = auto()  # the same number all the time
    GATE = auto()  # exact zeros between sound
    CLIPS = auto()
    OFFSET = auto()
    QUIET = auto()
    LOUD = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The figures of a recording, and its worst flaw."""

    level_dbfs: float
    """Without the offset."""
    peak_dbfs: float
    offset: float
    """Of full scale, with its sign."""
    clipped: float
    """Share of the frames."""
    zeros: float
    """Share of the frames in long stretches of exact zeros."""
    flaw: Flaw | None


def judge(frames: Frames) -> Judgement:
    """Judge at least a period of a room without speech."""
    samples = frames.astype(np.float64)
    offset = float(samples.mean()) / FULL_SCALE
    power = float(np.mean((samples / FULL_SCALE - offset) ** 2))
    clipped = float(np.mean(np.abs(samples) >= CLIPS_AT))
    zeros = _gated(frames)
    found = Judgement(
        level_dbfs=power_to_db(power + LEAST_POWER),
        peak_dbfs=power_to_db(float(np.max(np.abs(samples)) / FULL_SCALE) ** 2 + LEAST_POWER),
        offset=offset,
        clipped=clipped,
        zeros=zeros,
        flaw=None,
    )
    if bool((frames == frames[0]).all()):
        flaw = Flaw.DEAD
    elif zeros > GATE_SHARE:
        flaw = Flaw.GATE
    elif clipped > CLIPPED_SHARE:
        flaw = Flaw.CLIPS
    elif abs(offset) > OFFSET_SHARE:
        flaw = Flaw.OFFSET
    elif found.level_dbfs < QUIET_DBFS:
        flaw = Flaw.QUIET
    elif found.level_dbfs > LOUD_DBFS:
        flaw = Flaw.LOUD
    else:
        return found
    return replace(found, flaw=flaw)


def tone(rate_hz: int, level_dbfs: float) -> Frames:
    """The tone for the loudspeaker: int16 at this rate, with soft ends."""
    time_s = np.arange(round(TONE_S * rate_hz)) / rate_hz
    edge = np.minimum(time_s, TONE_S - time_s) / FADE_S
    envelope = np.sin(np.clip(edge, 0, 1) * np.pi / 2) ** 2
    amplitude = np.sqrt(2.0) * 10 ** (level_dbfs / 20) * FULL_SCALE
    wave = amplitude * envelope * np.sin(2 * np.pi * TONE_HZ * time_s)
    return round_to_int16(wave)


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """The tone in a recording."""

    level_dbfs: float
    over_db: float
    """Over the neighbouring lines of the spectrum."""


def find_tone(frames: Frames) -> ToneHeard:
    """The loudest 0.4 s of the tone in a recording of at least that length."""
    window = np.hanning(WINDOW_FRAMES)
    best = ToneHeard(-120.0, 0.0)
    for start in range(0, len(frames) - WINDOW_FRAMES + 1, HOP_FRAMES):
        piece = frames[start : start + WINDOW_FRAMES] / FULL_SCALE
        spectrum = np.abs(np.fft.rfft(piece * window)) ** 2 / (window**2).sum()
        own = float(spectrum[_OWN].sum())
        around = float(np.median(spectrum[_NEIGHBOURS])) * 5 + LEAST_POWER
        level_dbfs = power_to_db(2 * own / WINDOW_FRAMES + LEAST_POWER)
        if level_dbfs > best.level_dbfs:
            best = ToneHeard(level_dbfs, power_to_db(own / around + LEAST_POWER))
    return best


def is_heard(found: ToneHeard, room: ToneHeard) -> bool:
    """Whether the microphone hears the loudspeaker; `room`: before the tone."""
    return found.over_db >= HEARD_DB and found.level_dbfs >= room.level_dbfs + OVER_ROOM_DB


def _gated(frames: Frames) -> float:
    """The share of long stretches of exact zeros."""
    silent = np.concatenate(([False], frames == 0, [False]))
    edges = np.flatnonzero(np.diff(silent.astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= GATE_FRAMES].sum()) / len(frames)
