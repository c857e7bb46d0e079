"""First sounds: words that begin without a voice, lone words, whispers and hums."""

import numpy as np

from parleyd.audio import FULL_SCALE, float_to_int16
from parleyd.simulation import clips
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.first_sounds import unvoiced

_BLOCK = MIC_RATE_HZ // 100
_ACTIVE_DBFS = -26.0  # as in the corpus
_HISS_PERIODS = 5  # 50 ms; an s has 80 to 150
_LONE_S = (0.22, 0.6)
_PAUSE_DB = 18.0  # below the active level: between two words, or in a stop consonant
_FADE_S = 0.03
_LPC_ORDER = 18  # two for each formant up to 8 kHz, and two for the tilt
_FRAME = 400
Random = np.random.Generator


def from_hiss(clip: Frames, random: Random) -> Frames | None:
    """Return the clip from one of its hissing sounds on; None if it has none."""
    sound = clip / FULL_SCALE
    loud = _levels(sound) > clips.active_dbfs(clip) - 20
    hiss = unvoiced(sound) & loud
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hiss.astype(np.int8), [0]))))
    starts = [
        a for a, b in edges.reshape(-1, 2)
        if b - a >= _HISS_PERIODS and len(sound) - a * _BLOCK > 0.25 * MIC_RATE_HZ
    ]  # fmt: skip
    if not starts:
        return None
    at = int(random.choice(starts)) * _BLOCK
    cut = sound[at:].copy()
    cut[:80] *= np.linspace(0, 1, 80)  # 5 ms
    return _clip(cut)


def lone(clip: Frames, random: Random) -> Frames | None:
    """Return one word or syllable: the beginning of the clip up to its first pause, or a cut."""
    sound = clip / FULL_SCALE
    first, longest = (int(s * MIC_RATE_HZ) for s in _LONE_S)
    if len(sound) < first:
        return None
    quiet = _levels(sound) < clips.active_dbfs(clip) - _PAUSE_DB
    pauses = np.flatnonzero(quiet[first // _BLOCK : longest // _BLOCK])
    cut = first + int(pauses[0]) * _BLOCK if len(pauses) else int(random.uniform(first, longest))
    word = sound[:cut].copy()
    fade = min(int(_FADE_S * MIC_RATE_HZ), len(word))
    word[-fade:] *= np.linspace(1, 0, fade)
    return _clip(word)


def whispered(clip: Frames, random: Random) -> Frames:
    """Return the clip whispered: noise through its vocal tract (linear prediction).

    A whisper has no voice and less power in the low bands (Jovicic and Saric 2008).
    """
    sound = np.concatenate((clip / FULL_SCALE, np.zeros(_FRAME)))
    sound = np.append(sound[0], sound[1:] - 0.9 * sound[:-1])
    noise = random.standard_normal(len(sound))
    out = np.zeros(len(sound))
    window = np.hanning(_FRAME)
    for start in range(0, len(sound) - _FRAME, _FRAME // 2):
        part = sound[start : start + _FRAME] * window
        alike = np.fft.irfft(np.abs(np.fft.rfft(part, 2 * _FRAME)) ** 2)[: _LPC_ORDER + 1]
        if alike[0] < 1e-9:
            continue
        predictor, left = _levinson(alike)
        spectrum = np.fft.rfft(predictor, 2 * _FRAME)
        excitation = np.fft.rfft(noise[start : start + _FRAME] * window, 2 * _FRAME)
        voiced = np.fft.irfft(excitation / spectrum)[:_FRAME] * np.sqrt(left / _FRAME)
        out[start : start + _FRAME] += voiced
    tilt = random.uniform(0.0, 0.5)  # undo part of the emphasis: from thin to breathy
    return _clip((out[1:] + tilt * out[:-1])[: len(clip)])


def hum(random: Random) -> Frames:
    """Synthesise "mhm", "mm", "uh-huh" and "hm?": one to three hums of any melody."""
    base_hz = random.uniform(80, 290)
    mouth_hz = random.uniform(220, 700)  # closed to half open
    pieces = []
    for number in range(int(random.choice([1, 2, 2, 2, 3]))):
        count = int(random.uniform(0.09, 0.4) * MIC_RATE_HZ)
        glide = np.interp(np.linspace(0, 1, count), [0, 0.5, 1], random.uniform(0.8, 1.35, 3))
        jitter = 1 + 0.01 * np.cumsum(random.standard_normal(count)) / np.sqrt(count)
        phase = 2 * np.pi * np.cumsum(base_hz * glide * jitter) / MIC_RATE_HZ
        tone = sum(
            np.sin(k * phase) / (1 + (k * base_hz / mouth_hz) ** random.uniform(1.5, 2.6))
            for k in range(1, 20)
        )  # fmt: skip
        tone = tone + random.uniform(0, 0.1) * random.standard_normal(count)
        edge = np.minimum(1, np.arange(count) / random.uniform(100, 700))
        pieces.append(tone * edge * edge[::-1] * random.uniform(0.5, 1))
        if number == 0 and random.random() < 0.3:  # the h of "uh-huh"
            breath = random.standard_normal(int(random.uniform(0.03, 0.1) * MIC_RATE_HZ))
            pieces.append(random.uniform(0.02, 0.2) * breath)
        else:
            pieces.append(np.zeros(int(random.uniform(0.0, 0.12) * MIC_RATE_HZ)))
    return _clip(np.concatenate(pieces[:-1]))


def _levels(sound: Signal) -> Signal:
    blocks = sound[: len(sound) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12))


def _levinson(alike: Signal) -> tuple[Signal, float]:
    """Return the prediction-error filter and its power (Levinson and Durbin)."""
    predictor = np.zeros(len(alike))
    predictor[0], left = 1.0, float(alike[0]) * 1.0001
    for order in range(1, len(alike)):
        reflection = -float(np.dot(predictor[:order], alike[order:0:-1])) / left
        predictor[1 : order + 1] += reflection * predictor[order - 1 :: -1][:order]
        left *= 1 - reflection**2
    return predictor, left


def _clip(sound: Signal) -> Frames:
    peak = float(np.max(np.abs(sound), initial=1e-9))
    return clips.normalised(float_to_int16(0.5 * sound / peak), _ACTIVE_DBFS)
