"""Words that begin without a voice (s, sh, f, t), and words alone."""

import numpy as np

from parleyd.audio import FULL_SCALE
from parleyd.simulation import clips
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames

LONE = ("Stop.", "No.", "Wait.")
HISSING = (
    "Stop please, and tell me the weather.",
    "Smart lights off in the kitchen.",
    "Snow is what I asked about.",
    "Set a timer for ten minutes.",
    "Show me the news.",
    "Small change of plan, thank you.",
)
VOICED = (
    "No, I meant the other one.",
    "Wait, what about the train?",
    "Okay, that is enough.",
    "Dim the lights in the kitchen.",
    "Never mind, thank you.",
    "More about the lighthouse please.",
)

_BLOCK = MIC_RATE_HZ // 100
_HISS_HZ, _VOICE_HZ = 2500.0, 1000.0  # s, sh and t are above, vowels and hums below
_HISS_POWER = 2.0  # so much more power above than below
_FIRST_PERIODS, _HISSING_PERIODS = 8, 5  # an s takes 80 to 150 ms


def unvoiced(sound: Signal) -> np.ndarray:
    """Return for each 10 ms of a voice without noise whether it hisses (s, sh, f, t)."""
    blocks = sound[: len(sound) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    power = np.abs(np.fft.rfft(blocks * np.hanning(_BLOCK))) ** 2
    hz = np.fft.rfftfreq(_BLOCK, 1 / MIC_RATE_HZ)
    high = power[:, hz > _HISS_HZ].sum(1)
    low = power[:, (hz > 80) & (hz < _VOICE_HZ)].sum(1)
    return np.asarray(high > _HISS_POWER * low)


def begins_with_hiss(frames: Frames) -> bool:
    """Return whether a clip, cut at its onset, begins with an unvoiced sound of 50 ms or more."""
    first = unvoiced(frames[: _FIRST_PERIODS * _BLOCK] / FULL_SCALE)
    return int(first.sum()) >= _HISSING_PERIODS


def spoken(texts: tuple[str, ...], voices: tuple[str, ...]) -> dict[str, Frames]:
    """Return each text in each of flite's voices. Raises `OfflineSpeechError` without flite."""
    return {f"{v}-{t.rstrip('.')}": clips.synthesize(t, v) for t in texts for v in voices}
