"""The level of a wake word that has just ended: how near its talker is, compared with others.

Only 1 to 4 kHz count. Doors and walls take little of the frequencies below, and fans, traffic and
mains hum are louder there.
"""

import numpy as np

from parleyd.audio import FULL_SCALE, power_to_db
from parleyd.units import MIC_RATE_HZ, Frames

LOOKS_BACK_MS = 3000  # the wake word, and the room before it
_BLOCK = 512  # 32 ms
_WORD_BLOCKS = 38  # 1.2 s: a slow wake word, and the time of its engine
_LOUD_BLOCKS = 12  # of these, 0.4 s: the vowels, in any voice
_QUIET_SHARE = 0.2  # of all blocks: the room, even if the talker has spoken before
_SILENCE = 1e-9  # -90 dBFS, a last bit of 16: below it the canceller's rounding would decide
_WINDOW = np.hanning(_BLOCK).astype(np.float32)
_BAND = slice(round(1000 * _BLOCK / MIC_RATE_HZ), round(4000 * _BLOCK / MIC_RATE_HZ))
_SCALE = 2.0 / (FULL_SCALE**2 * _BLOCK * float(np.sum(_WINDOW**2)))


def wake_level_dbfs(recent: Frames) -> float:
    """Return the level of the loudest 0.4 s of the newest 1.2 s, without the room's noise.

    `recent`: the newest cleaned audio, int16 at 16 kHz, about `LOOKS_BACK_MS`. Takes a
    millisecond: call it for a wake word, not for each period. -90 for silence and too
    little audio.
    """
    blocks = len(recent) // _BLOCK
    if blocks == 0:
        return power_to_db(_SILENCE)
    newest = recent[-blocks * _BLOCK :].reshape(blocks, _BLOCK)
    spectrum = np.fft.rfft(newest * _WINDOW)[:, _BAND]
    powers = _SCALE * np.sum(spectrum.real**2 + spectrum.imag**2, axis=1)
    noise = float(np.sort(powers)[int(_QUIET_SHARE * blocks)])
    word = np.sort(powers[-_WORD_BLOCKS:])[-_LOUD_BLOCKS:]
    return power_to_db(max(float(word.mean()) - noise, _SILENCE))
