"""WAV files: recordings, with loudspeaker on the left and microphone on the right; sounds."""

import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parleyd.audio import resample
from parleyd.errors import ParleyError
from parleyd.units import Frames

SLOWEST_HZ, FASTEST_HZ = 8_000, 192_000  # the range of all sound cards
QUIETEST = 0.002  # -54 dBFS: a lower peak is inaudible


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


def read_sound(path: Path, rate_hz: int, longest_s: float) -> Frames:
    """Read a sound, mix its channels and resample it to `rate_hz`. Blocks; raises `ParleyError`."""
    try:
        with path.open("rb") as stream, wave.open(stream) as file:
            channels, width, from_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if not SLOWEST_HZ <= from_hz <= FASTEST_HZ:
                raise ParleyError(
                    f"{path}: the sample rate is {from_hz} Hz, allowed is {SLOWEST_HZ} to "
                    f"{FASTEST_HZ} Hz"
                )
            data = file.readframes(int(longest_s * from_hz) + 1)
    except (OSError, wave.Error, EOFError, RuntimeError) as error:  # RuntimeError: bad sizes
        why = (isinstance(error, OSError) and error.strerror) or str(error) or "it ends too early"
        raise ParleyError(
            f"{path}: cannot be read as WAV ({why}), allowed is an uncompressed WAV file that the "
            "service may read (chmod a+r)"
        ) from None
    mixed = _samples(data, width).reshape(-1, channels).mean(axis=1)
    if len(mixed) > longest_s * from_hz:
        raise ParleyError(f"{path}: is longer than {longest_s:g} s, allowed is a shorter sound")
    if not len(mixed) or float(np.max(np.abs(mixed))) < QUIETEST:
        raise ParleyError(f'{path}: is silent, allowed is a sound, or "" for silence')
    return resample(np.rint(mixed * 32767).astype(np.int16), from_hz, rate_hz)


def _samples(data: bytes, width: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return samples of 1 to 4 bytes, full scale 1.0."""
    if width == 1:
        return (np.frombuffer(data, np.uint8) - 128.0) / 128
    raw = np.frombuffer(data[: len(data) // width * width], np.uint8).reshape(-1, width)
    high = raw[:, -2:].copy().view("<i2").ravel().astype(np.float64)
    return high / 32768
