"""The sounds of a talker: speech from flite, a cough, a knock; int16 at 16 kHz."""

import functools
import os
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from parleyd.audio import (
    FULL_SCALE,
    LEAST_POWER,
    SILENCE_DBFS,
    db_to_gain,
    db_to_power,
    power_to_db,
    resample,
    round_to_int16,
)
from parleyd.errors import OfflineSpeechError
from parleyd.simulation.convolution import Signal
from parleyd.system.child_environment import child_environment
from parleyd.units import MIC_RATE_HZ, Frames

VOICES = ("rms", "slt", "awb", "kal16", "kal")  # the voices in Debian's flite
ONSET_DB = 25.0  # the onset is the first 10 ms within this distance of the active level
ACTIVE_DB = 30.0  # 10 ms within this distance of the loudest 10 ms count as active
FLITE_WITHIN_S = 20.0  # a sentence takes 30 ms, but a slow card's first read takes seconds
_BLOCK = MIC_RATE_HZ // 100


@functools.lru_cache(maxsize=256)
def synthesize(text: str, voice: str = "rms", *, level_dbfs: float = -26.0) -> Frames:
    """Return `text` in flite's voice, from onset to end of the voice, at the active level.

    Blocks for about 30 ms at the first call. The array is cached and read-only.
    Raises `OfflineSpeechError` if flite is missing, or fails on this text or voice.
    """
    if voice not in VOICES:
        raise OfflineSpeechError(f"flite has no voice {voice!r}; choose one of {', '.join(VOICES)}")
    speech = normalised(trimmed(_flite(text, voice)), level_dbfs)
    speech.flags.writeable = False
    return speech


def cough(*, seed: int = 0, level_dbfs: float = -26.0) -> Frames:
    """Return a cough of about 350 ms: a sharp burst of breath, then a weaker one."""
    random = np.random.default_rng(seed)
    bursts = [_breath(random, 0.13, 0.035, 1.0), np.zeros(640), _breath(random, 0.18, 0.05, 0.5)]
    return normalised(round_to_int16(8192.0 * np.concatenate(bursts)), level_dbfs)


def knock(*, seed: int = 0, level_dbfs: float = -26.0) -> Frames:
    """Return two knocks on a table, 180 ms apart: dull resonances that decay within 60 ms."""
    random = np.random.default_rng(seed)
    knocks = np.zeros(int(0.3 * MIC_RATE_HZ))
    time_s = np.arange(int(0.12 * MIC_RATE_HZ)) / MIC_RATE_HZ
    for start, strength in ((0, 1.0), (int(0.18 * MIC_RATE_HZ), 0.8)):
        for mode_hz, decay_s in ((140, 0.025), (310, 0.015), (820, 0.006)):
            hz = mode_hz * random.uniform(0.9, 1.1)
            ring = strength * np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s / decay_s)
            knocks[start : start + len(ring)] += ring
    return normalised(round_to_int16(8192.0 * knocks), level_dbfs)


def active_dbfs(frames: Frames) -> float:
    """Return the RMS in dBFS of the 10 ms blocks within 30 dB of the loudest; silence: -120."""
    power = _block_power(frames)
    loudest = float(power.max(initial=0.0))
    if loudest <= LEAST_POWER:
        return SILENCE_DBFS
    active = power[power >= loudest * db_to_power(-ACTIVE_DB)]
    return power_to_db(float(active.mean()))


def normalised(frames: Frames, level_dbfs: float) -> Frames:
    """Return the clip at an active level of `level_dbfs`, clipped at full scale."""
    gain = db_to_gain(level_dbfs - active_dbfs(frames))
    return round_to_int16(frames * gain)


def trimmed(frames: Frames) -> Frames:
    """Return the part from the first to the last block within 25 dB of the active level."""
    threshold = db_to_power(active_dbfs(frames) - ONSET_DB)
    loud = np.flatnonzero(_block_power(frames) >= threshold)
    if len(loud) == 0:
        return frames
    return frames[loud[0] * _BLOCK : (loud[-1] + 1) * _BLOCK]


def _flite(text: str, voice: str) -> Frames:
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        path = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "-t", text, "-o", str(path)]
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                timeout=FLITE_WITHIN_S,
                env=child_environment(os.environ),
            )
            with wave.open(str(path)) as file:
                rate_hz = file.getframerate()
                frames = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        except FileNotFoundError:
            raise OfflineSpeechError(
                "flite is missing, but the simulated talker needs it: apt install flite"
            ) from None
        except (subprocess.SubprocessError, OSError, EOFError, wave.Error) as error:
            raise OfflineSpeechError(
                f"flite failed ({type(error).__name__}); a WAV file is expected: "
                f"try `flite -voice {voice} -t hello -o hello.wav` in a terminal"
            ) from error
    return resample(frames, rate_hz, MIC_RATE_HZ)


def _block_power(frames: Frames) -> Signal:
    blocks = len(frames) // _BLOCK
    whole = frames[: blocks * _BLOCK].reshape(blocks, _BLOCK) / FULL_SCALE
    return np.asarray(np.mean(whole**2, axis=1))


def _breath(random: np.random.Generator, long_s: float, decay_s: float, strength: float) -> Signal:
    """Return noise through a throat: strongest at 400 to 2500 Hz, sharp attack, long decay."""
    time_s = np.arange(int(long_s * MIC_RATE_HZ)) / MIC_RATE_HZ
    spectrum = np.fft.rfft(random.standard_normal(len(time_s)))
    hz = np.fft.rfftfreq(len(time_s), 1 / MIC_RATE_HZ)
    throat = (hz / 400) / (1 + (hz / 400) ** 2) ** 0.5 / (1 + (hz / 2500) ** 2)
    attack = 1.0 - np.exp(-time_s / 0.002)
    shaped = np.fft.irfft(spectrum * throat, len(time_s)) * attack * np.exp(-time_s / decay_s)
    return np.asarray(strength * shaped)
