"""The sweep, and what its echo shows of loudspeaker, room and delay. Pure.

An exponential sine sweep: its echo, divided by the sweep in the spectrum, is the impulse response
of the room, and each harmonic that the loudspeaker adds is a separate response, earlier in time.
After A. Farina, "Simultaneous measurement of impulse response and distortion with a swept-sine
technique", AES 108th Convention, 2000. The reverberation is read from M. Schroeder's backward
integral (1965).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parleyd.audio import FULL_SCALE, LEAST_POWER, Doubles, power_to_db, round_to_int16
from parleyd.units import MIC_RATE_HZ, Frames

FIRST_HZ, LAST_HZ = 120.0, 7200.0  # what a small loudspeaker plays and a microphone at 16 kHz hears
SWEEP_S = 2.0
TAIL_S = 1.2  # the silence after it: the echo dies away, and a delay of 0.7 s still fits
PEAK = 0.25  # of full scale before the volume: the peaks of speech; 15 dB under full scale as RMS
REPLY_DBFS = -24.0  # the active level of speech from servers and synthesisers
FADES_S = 0.08, 0.12  # soft ends: a click would be heard, and hit every frequency at once
SOFTER_HZ = 4000.0  # above this the sweep falls, as speech does: it would be shrill

_FFT = 1 << 16  # 4.1 s: sweep, tail and the harmonics before them
_LOWEST_HZ, _FLAT_HZ = 130.0, 320.0  # a steep edge would ring for longer than the room
_HIGHEST_HZ, _STEEP_HZ = 6600.0, 5600.0
_LATEST_S = 0.7
_EARLIEST_S = -0.02  # queues are read to the period
_DIRECT = 0.4  # of the highest peak: a reflection may exceed the direct sound
_BEFORE_S = 0.02  # ... which comes this much earlier at most
_ONSET_S = 0.004  # the band limit spreads the direct sound
_ECHO_S = 0.6  # that is counted as echo
_NOISE_FROM_S, _NOISE_S = 0.95, 0.2
_LEAST_PEAK = 8.0  # over the noise's RMS: 4.2 is the highest of 0.7 s of noise alone
_HARMONICS_S = 0.85  # the sixth is 0.88 s early
_JUDGED_DB = 20.0  # echo over noise: below, the distortion is the noise's
_RAISED_DB = 2.0  # harmonics of a low, louder tone beside the softer sweep at their frequency
_CANCELLED_S = 0.19  # the tail that the canceller models
_SPEECH_HZ = 600.0  # speech falls above this
Response = NDArray[np.float64]


def gain(volume: int) -> float:
    """The factor of playback at a volume of 0 to 100: its square, as in playback itself."""
    return (volume / 100) ** 2


@lru_cache(maxsize=4)
def sweep(rate_hz: int) -> Doubles:
    """The sweep before the volume, full scale 1.0, read-only."""
    time_s = np.arange(round(SWEEP_S * rate_hz)) / rate_hz
    octaves = math.log(LAST_HZ / FIRST_HZ)
    turns = FIRST_HZ * SWEEP_S / octaves * (np.exp(time_s / SWEEP_S * octaves) - 1)
    begin, end = (np.clip(at / fade, 0, 1) for at, fade in _edges(time_s))
    soft = np.sin(np.pi / 2 * begin) ** 2 * np.sin(np.pi / 2 * end) ** 2
    hz = FIRST_HZ * np.exp(time_s / SWEEP_S * octaves)
    soft /= np.sqrt(1 + (hz / SOFTER_HZ) ** 2)
    played = np.asarray(PEAK * soft * np.sin(2 * np.pi * turns))
    played.flags.writeable = False
    return played


def _edges(time_s: Doubles) -> tuple[tuple[Doubles, float], tuple[Doubles, float]]:
    return (time_s, FADES_S[0]), (SWEEP_S - time_s, FADES_S[1])


def sweep_frames(rate_hz: int, volume: int) -> Frames:
    """The sweep at a volume, with the silence after it, as the card plays it."""
    played = sweep(rate_hz) * gain(volume) * FULL_SCALE
    return np.concatenate((round_to_int16(played), np.zeros(round(TAIL_S * rate_hz), np.int16)))


class Echo(NamedTuple):
    """The impulse response of one sweep."""

    response: Response
    """At 16 kHz; index 0 is the moment at which the sweep's first frame left the queue, and the
    harmonics are at its end, as negative times."""
    direct: int | None
    """The index of the direct sound; None if the sweep was not heard."""
    noise: float
    """The mean square of the noise in the response."""


def respond(heard: Frames) -> Echo:
    """Return the response of a recording that begins when the sweep's first frame left the queue.

    `heard`: 16 kHz, 3.2 s.
    """
    recorded = heard[:_FFT] / FULL_SCALE
    spectrum = np.fft.rfft(recorded - recorded.mean(), _FFT) * _inverse()
    response = np.asarray(np.fft.irfft(spectrum))
    first, last = (round(at * MIC_RATE_HZ) for at in (_EARLIEST_S, _LATEST_S))
    searched = np.abs(np.concatenate((response[first:], response[:last])))
    peak = int(searched.argmax())
    near = searched[max(0, peak - round(_BEFORE_S * MIC_RATE_HZ)) : peak + 1]
    loud = int(np.argmax(near >= _DIRECT * searched[peak]))  # the flank of the first arrival
    flank = peak + 1 - len(near) + loud
    direct = flank + int(searched[flank : flank + 8].argmax()) + first
    noise_from = max(_NOISE_FROM_S, direct / MIC_RATE_HZ + 0.3)
    noise = float(np.mean(_part(response, noise_from, _NOISE_S) ** 2)) + LEAST_POWER
    audible = searched[peak] >= _LEAST_PEAK * math.sqrt(noise)
    return Echo(response, direct if audible else None, noise)


@lru_cache(maxsize=1)
def _inverse() -> NDArray[np.complex128]:
    """One over the sweep's spectrum, inside of the band."""
    spectrum = np.fft.rfft(sweep(MIC_RATE_HZ), _FFT)
    hz = _frequencies()
    rise = np.clip((hz - _LOWEST_HZ) / (_FLAT_HZ - _LOWEST_HZ), 0, 1)
    fall = np.clip((_HIGHEST_HZ - hz) / (_HIGHEST_HZ - _STEEP_HZ), 0, 1)
    band = np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2
    return np.asarray(band / np.where(band > 0, spectrum, 1))


def _frequencies() -> Doubles:
    return np.asarray(np.fft.rfftfreq(_FFT, 1 / MIC_RATE_HZ), np.float64)


def _part(response: Response, from_s: float, long_s: float) -> Response:
    start = round(from_s * MIC_RATE_HZ)
    return response[start : start + round(long_s * MIC_RATE_HZ)]


def _tail(echo: Echo, direct: int) -> Response:
    """The echo from shortly before its direct sound on."""
    turned = np.roll(echo.response, -direct + round(_ONSET_S * MIC_RATE_HZ))
    return turned[: round((_ONSET_S + _ECHO_S) * MIC_RATE_HZ)]


def reply_dbfs(echo: Echo, direct: int) -> float:
    """The level of a reply: the response, weighted as speech, at the level of speech."""
    tail = _tail(echo, direct)
    power = np.abs(np.fft.rfft(tail, _FFT)) ** 2
    weight = 1 / (1 + (_frequencies() / _SPEECH_HZ) ** 2)
    weight[_frequencies() < _FLAT_HZ] = 0
    weight[_frequencies() > _STEEP_HZ] = 0
    noise = echo.noise * len(tail)
    heard = float((power * weight).sum() / weight.sum()) - noise
    return REPLY_DBFS + power_to_db(max(heard, LEAST_POWER))


def over_noise_db(echo: Echo, direct: int) -> float:
    """The energy of the echo over that of the noise in as long a time."""
    tail = _tail(echo, direct)
    return power_to_db(max(float(tail @ tail) / (echo.noise * len(tail)), LEAST_POWER))


def distortion_db(echo: Echo, direct: int) -> float | None:
    """All that comes before the direct sound, relative to the echo: harmonics up to the sixth."""
    if over_noise_db(echo, direct) < _JUDGED_DB:
        return None
    early = round(_HARMONICS_S * MIC_RATE_HZ)
    before = np.roll(echo.response, early - direct)[: early - 2 * round(_ONSET_S * MIC_RATE_HZ)]
    tail = _tail(echo, direct)
    added = float(before @ before) - echo.noise * len(before)
    linear = float(tail @ tail) - echo.noise * len(tail)
    return power_to_db(max(added / linear, 1e-8)) - _RAISED_DB


def late_db(echo: Echo, direct: int) -> float | None:
    """The part of the echo beyond the canceller's reach, relative to all of it."""
    if over_noise_db(echo, direct) < _JUDGED_DB:
        return None
    tail = _tail(echo, direct)
    late = tail[round((_ONSET_S + _CANCELLED_S) * MIC_RATE_HZ) :]
    power = float(late @ late) - echo.noise * len(late)
    return power_to_db(max(power / float(tail @ tail), 1e-6))


def rt60_s(echo: Echo, direct: int) -> float | None:
    """The time in which the echo falls by 60 dB: the slope from -5 dB to -25 dB, or to -15 dB.

    None if the noise hides it.
    """
    turned = np.roll(echo.response, -direct)[: round(1.1 * MIC_RATE_HZ)]
    power = turned**2 - echo.noise
    blocks = power[: len(power) // 160 * 160].reshape(-1, 160).mean(axis=1)
    above = blocks > 2 * echo.noise
    end = 160 * (int(np.argmin(above)) if not above.all() else len(blocks))
    left = np.cumsum(power[:end][::-1])[::-1]
    if end < 320 or left[0] <= 0:
        return None
    decay_db = 10 * np.log10(np.maximum(left / left[0], 1e-9))
    for lowest_db, needed_db in ((-25.0, -33.0), (-15.0, -22.0)):
        inside = np.flatnonzero((decay_db <= -5.0) & (decay_db >= lowest_db))
        if len(inside) >= 160 and decay_db[end - 160] < needed_db:
            slope = float(np.polyfit(inside / MIC_RATE_HZ, decay_db[inside], 1)[0])
            return -60.0 / slope if slope < 0 else None
    return None
