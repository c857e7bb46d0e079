"""Things a talker can utter: speech from flite, a cough, a knock; int16 at 16 kHz."""

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

VOICES = ("rms", "slt", "awb", "kal16", "kal")  # what Debian's flite brings
ONSET_DB = 25.0  # the first 10 ms this near to the active level are the onset
ACTIVE_DB = 30.0  # 10 ms this near to the loudest 10 ms count as active
FLITE_WITHIN_S = 20.0  # a sentence takes 30 ms; a slow card's first read takes seconds
_BLOCK = MIC_RATE_HZ // 100


@functools.lru_cache(maxsize=256)
def synthesize(text: str, voice: str = "rms", *, level_dbfs: float = -26.0) -> Frames:
    """`text` spoken by flite: begins at the onset, ends with the voice, active level as given.

    Blocks for some 30 ms the first time. The array is cached: read-only.
    Raises `OfflineSpeechError` when flite is missing, or fails on this text or voice.
    """
    if voice not in VOICES:
        raise OfflineSpeechError(f"flite has no voice {voice!r}, choose one of {', '.join(VOICES)}")
    speech = normalised(trimmed(_flite(text, voice)), level_dbfs)
    speech.flags.writeable = False
    return speech


def cough(*, seed: int = 0, level_dbfs: float = -26.0) -> Frames:
    """A cough of about 350 ms: a sharp burst of breath, then a weaker one."""
    random = np.random.default_rng(seed)
    bursts = [_breath(random, 0.13, 0.035, 1.0), np.zeros(640), _breath(random, 0.18, 0.05, 0.5)]
    return normalised(round_to_int16(8192.0 * np.concatenate(bursts)), level_dbfs)


def knock(*, seed: int = 0, level_dbfs: float = -26.0) -> Frames:
    """Two knocks on the table, 180 ms apart: dull resonances struck and gone in 60 ms."""
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
    """RMS in dBFS over the 10 ms blocks within 30 dB of the loudest one; -120 for silence."""
    power = _block_power(frames)
    loudest = float(power.max(initial=0.0))
    if loudest <= LEAST_POWER:
        return SILENCE_DBFS
    active = power[power >= loudest * db_to_power(-ACTIVE_DB)]
    return power_to_db(float(active.mean()))


def normalised(frames: Frames, level_dbfs: float) -> Frames:
    """The same clip at an active level of `level_dbfs`; peaks over full scale are clipped."""
    gain = db_to_gain(level_dbfs - active_dbfs(frames))
    return round_to_int16(frames * gain)


def trimmed(frames: Frames) -> Frames:
    """From the onset to the end of the voice: blocks within 25 dB of the active level."""
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
                "flite is missing, the simulated talker speaks through it: apt install flite"
            ) from None
        except (subprocess.SubprocessError, OSError, EOFError, wave.Error) as error:
            raise OfflineSpeechError(
                f"flite could not speak ({type(error).__name__}), expected was a WAV file: "
                f"try `flite -voice {voice} -t hello -o hello.wav` by hand"
            ) from error
    return resample(frames, rate_hz, MIC_RATE_HZ)


def _block_power(frames: Frames) -> Signal:
    blocks = len(frames) // _BLOCK
    whole = frames[: blocks * _BLOCK].reshape(blocks, _BLOCK) / FULL_SCALE
    return np.asarray(np.mean(whole**2, axis=1))


def _breath(random: np.random.Generator, long_s: float, decay_s: float, strength: float) -> Signal:
    """Noise through the throat: strongest from 400 to 2500 Hz, sharp attack, long decay."""
    time_s = np.arange(int(long_s * MIC_RATE_HZ)) / MIC_RATE_HZ
    spectrum = np.fft.rfft(random.standard_normal(len(time_s)))
    hz = np.fft.rfftfreq(len(time_s), 1 / MIC_RATE_HZ)
    throat = (hz / 400) / (1 + (hz / 400) ** 2) ** 0.5 / (1 + (hz / 2500) ** 2)
    attack = 1.0 - np.exp(-time_s / 0.002)
    shaped = np.fft.irfft(spectrum * throat, len(time_s)) * attack * np.exp(-time_s / decay_s)
    return np.asarray(strength * shaped)
