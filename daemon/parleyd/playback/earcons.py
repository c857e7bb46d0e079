"""The sounds that are not speech, computed once; mono int16 at 24 kHz."""

from functools import cache

import numpy as np

from parleyd.audio import round_to_int16
from parleyd.units import SERVER_RATE_HZ, Frames

LEVEL = 0.25  # relative to full scale: clearly softer than the voice, which peaks near 1
EDGE_MS = 12  # rise and fall of each tone, which prevents clicks


@cache
def chime() -> Frames:
    """ "I am listening": two short rising tones."""
    return _melody((660.0, 70), (990.0, 90))


@cache
def greeting() -> Frames:
    """ "I am on": four plucked strings, a second and a half.

    Each begins with a soft hiss and has many partials. The canceller learns the echo path and
    its delay from this sound, but only at the frequencies that the sound contains.
    """
    random = np.random.default_rng(4)
    length = SERVER_RATE_HZ * 3 // 2
    sound = np.zeros(length)
    for number, base_hz in enumerate((196.0, 246.9, 293.7, 392.0)):
        start = SERVER_RATE_HZ * 200 * number // 1000
        time_s = np.arange(length - start) / SERVER_RATE_HZ
        for partial in range(1, int(7000 / base_hz)):
            ring = np.exp(-time_s * (2.0 + 0.35 * partial)) / partial**0.7
            sound[start:] += ring * np.sin(2 * np.pi * partial * base_hz * time_s)
        sound[start:] += 1.5 * np.exp(-time_s / 0.04) * random.standard_normal(len(time_s))
    edge = np.minimum(1.0, np.arange(length)[::-1] / (SERVER_RATE_HZ / 10))
    return round_to_int16(sound * edge / np.max(np.abs(sound)) * 2 * LEVEL * 32767)


@cache
def follow_up() -> Frames:
    """ "You may go on": the second tone of the chime, short and soft."""
    return _softer(_melody((990.0, 70)))


@cache
def heard() -> Frames:
    """ "I have heard you": one short soft tone."""
    return _softer(_melody((660.0, 60)))


@cache
def low_tone() -> Frames:
    """ "I stopped listening": one soft low tone."""
    return _melody((392.0, 110))


@cache
def sorry() -> Frames:
    """ "That did not work": two falling tones."""
    return _melody((440.0, 130), (311.0, 220))


@cache
def offline() -> Frames:
    """ "I cannot reach the server": the low tone of "sorry", three times."""
    return _melody(*((311.0, 90), (0.0, 70)) * 2, (311.0, 180))


@cache
def muted() -> Frames:
    """ "The microphone is closed": two short falling tones."""
    return _melody((587.0, 60), (392.0, 90))


@cache
def unmuted() -> Frames:
    """ "The microphone is open": two short rising tones."""
    return _melody((392.0, 60), (587.0, 90))


@cache
def alarm() -> Frames:
    """A timer is due: three double beeps, about three seconds."""
    beep = ((880.0, 140), (0.0, 90), (880.0, 140), (0.0, 560))
    return _melody(*(beep * 3))


def _softer(sound: Frames) -> Frames:
    return round_to_int16(sound * 0.5)


def _melody(*tones: tuple[float, int]) -> Frames:
    """Return consecutive tones, each (frequency in Hz or 0 for a rest, length in ms)."""
    parts = []
    edge = SERVER_RATE_HZ * EDGE_MS // 1000
    for frequency_hz, length_ms in tones:
        time_s = np.arange(SERVER_RATE_HZ * length_ms // 1000) / SERVER_RATE_HZ
        envelope = np.minimum(
            1.0, np.minimum(np.arange(len(time_s)), np.arange(len(time_s))[::-1]) / edge
        )
        parts.append(envelope * np.sin(2 * np.pi * frequency_hz * time_s))
    return round_to_int16(np.concatenate(parts) * LEVEL * 32767)
