"""How loud a wake word was. Pure."""

import numpy as np

from parleyd.audio import FULL_SCALE, LEAST_POWER, SILENCE_DBFS, power_dbfs, power_to_db
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames

WORD_PERIODS = 120  # 1.2 s: a slow wake word
_OVER_NOISE_DB = 3.0  # a softer block is the room's
_ACTIVE_DB = 30.0  # under the loudest block
_VOICE_DB = 8.0  # over the noise, of the loudest block: less is not certainly a voice
_LOWEST_HZ = 90.0  # rumble is below all voices


def word_level(heard: Frames) -> tuple[float, float]:
    """Return the active level of the loudest 1.2 s without the noise, and the level of the noise.

    `heard`: 16 kHz, with some of the room around the word. -120 if nothing rises over the noise.
    """
    blocks = heard[: len(heard) // MIC_PERIOD_FRAMES * MIC_PERIOD_FRAMES]
    if len(blocks) < WORD_PERIODS * MIC_PERIOD_FRAMES:
        return SILENCE_DBFS, SILENCE_DBFS
    spectrum = np.fft.rfft(blocks / FULL_SCALE)
    spectrum[: round(_LOWEST_HZ * len(blocks) / MIC_RATE_HZ)] = 0
    samples = np.fft.irfft(spectrum, len(blocks)).reshape(-1, MIC_PERIOD_FRAMES)
    powers = (samples**2).mean(axis=1)
    sums = np.convolve(powers, np.ones(WORD_PERIODS), "valid")
    start = int(sums.argmax())
    word = powers[start : start + WORD_PERIODS]
    room = np.concatenate((powers[:start], powers[start + WORD_PERIODS :]))
    noise = float(np.median(room)) if len(room) else float(powers.min())
    loudest = float(word.max())
    over = word > max(noise * 10 ** (_OVER_NOISE_DB / 10), loudest * 10 ** (-_ACTIVE_DB / 10))
    if power_to_db((loudest + LEAST_POWER) / (noise + LEAST_POWER)) < _VOICE_DB:
        return SILENCE_DBFS, power_dbfs(noise)
    return power_dbfs(float(word[over].mean()) - noise), power_dbfs(noise)
