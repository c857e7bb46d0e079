"""Recordings as 16-bit stereo WAV files: loudspeaker on the left, microphone on the right."""

import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parleyd.audio import resample
from parleyd.errors import ParleyError
from parleyd.units import Frames

SLOWEST_HZ, FASTEST_HZ = 8_000, 192_000  # the range of all sound cards


class Stereo(NamedTuple):
    """A recording of loudspeaker and microphone at the same time and rate."""

    loudspeaker: Frames
    microphone: Frames


def write(path: Path, recording: Stereo, rate_hz: int) -> None:
    """Write the common length of both channels. Blocks; raises OSError if the write fails."""
    frames = min(len(recording.loudspeaker), len(recording.microphone))
    both = np.stack([recording.loudspeaker[:frames], recording.microphone[:frames]], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(both.astype("<i2").tobytes())


def read(path: Path, rate_hz: int) -> Stereo:
    """Read a recording and resample it to `rate_hz`. Raises `ParleyError`."""
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth())
            from_hz = file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError, RuntimeError) as error:  # RuntimeError: bad sizes
        why = (isinstance(error, OSError) and error.strerror) or str(error) or "it ends too early"
        raise ParleyError(
            f"{path}: cannot be read as WAV ({why}); a 16-bit stereo recording is expected, "
            "such as the demo's room.wav or a turn recorded by log.record_turns"
        ) from None
    if shape != (2, 2):
        raise ParleyError(
            f"{path}: has {shape[0]} channel(s) of {8 * shape[1]} bits; two channels of 16 bits "
            "are expected: loudspeaker on the left, microphone on the right"
        )
    if not SLOWEST_HZ <= from_hz <= FASTEST_HZ:
        raise ParleyError(
            f"{path}: the sample rate is {from_hz} Hz; {SLOWEST_HZ} to {FASTEST_HZ} Hz are "
            "expected: the file is damaged"
        )
    whole = len(data) // 4 * 4  # a recording may be truncated anywhere
    both = np.frombuffer(data[:whole], "<i2").reshape(-1, 2)
    return Stereo(resample(both[:, 0], from_hz, rate_hz), resample(both[:, 1], from_hz, rate_hz))
