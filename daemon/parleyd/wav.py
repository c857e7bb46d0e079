"""WAV files: recordings, with loudspeaker on the left and microphone on the right; sounds."""

import os
import shlex
import stat
import struct
import wave
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parleyd.audio import resample
from parleyd.errors import ParleyError
from parleyd.units import Frames

SLOWEST_HZ, FASTEST_HZ = 8_000, 192_000  # the range of all sound cards
MOST_CHANNELS = 8
MOST_CHUNKS = 1000  # before the samples; other programs write a few
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # codes of "fmt "; the last one has the code further behind
FORMATS = {*((PCM, bits) for bits in (8, 16, 24, 32)), *((FLOAT, bits) for bits in (32, 64))}


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
    """Read a sound, mix its channels and resample it to `rate_hz`. Blocks; raises `ParleyError`.

    PCM and float, also as WAVE_FORMAT_EXTENSIBLE, which `wave` cannot read before Python 3.12. A
    file that has been cut off is read as far as it goes.
    """
    try:
        with _regular(path) as file:
            form, data = _chunks(file, longest_s)
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        raise ParleyError(f"{path}: cannot be read as WAV ({why}), {_allowed(path)}") from None
    mixed = form.samples(data).mean(axis=1)
    if len(mixed) > longest_s * form.rate_hz:
        cut = _allowed(path, f"-t {longest_s:g} ")
        raise ParleyError(f"{path}: is longer than {longest_s:g} s, {cut}")
    return resample(np.rint(mixed * 32767).astype(np.int16), form.rate_hz, rate_hz)


def louder_file(path: Path, gain_db: float) -> str:
    """The command that makes a louder file of this one."""
    return _conversion(path, f"-af volume={gain_db:.0f}dB ")


def _allowed(path: Path, options: str = "") -> str:
    return (
        "allowed is a WAV file of 8, 16, 24 or 32 bits or of floats, 1 to "
        f"{MOST_CHANNELS} channels and {SLOWEST_HZ} to {FASTEST_HZ} Hz, that the service may read "
        f"(chmod a+r); {_conversion(path, options)} makes one"
    )


def _conversion(path: Path, options: str) -> str:
    new = path.with_name(f"{path.stem}-parley.wav")
    names = shlex.quote(str(path)), shlex.quote(str(new))
    return f"`ffmpeg -i {names[0]} {options}-ac 1 -ar 24000 -c:a pcm_s16le {names[1]}`"


class _Form(NamedTuple):
    """The content of the chunk "fmt "."""

    floats: bool
    channels: int
    rate_hz: int
    width: int
    """Bytes of one sample."""

    def samples(self, data: bytes) -> NDArray[np.float64]:
        """The whole frames as (frames, channels), full scale 1.0."""
        whole = data[: len(data) // (self.width * self.channels) * self.width * self.channels]
        if self.floats:
            values = np.nan_to_num(np.frombuffer(whole, f"<f{self.width}").astype(np.float64))
        elif self.width == 1:
            values = (np.frombuffer(whole, np.uint8) - 128.0) / 128
        else:
            raw = np.frombuffer(whole, np.uint8).reshape(-1, self.width)
            values = raw[:, -2:].copy().view("<i2").ravel().astype(np.float64) / 32768
        return values.clip(-1.0, 1.0).reshape(-1, self.channels)


def _regular(path: Path) -> BinaryIO:
    """Open a file that ends: a pipe or a device might never answer. Raises OSError, ValueError."""
    if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: some devices act on that
        raise ValueError("it is not a regular file")
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _chunks(file: BinaryIO, longest_s: float) -> tuple[_Form, bytes]:
    """The format, and the samples of a little more than `longest_s`. Raises ValueError."""
    begin = file.read(12)
    if begin[:4] != b"RIFF" or begin[8:] != b"WAVE":
        raise ValueError("it does not begin as a WAV file" if begin else "it is empty")
    form = None
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data" and form is not None:
            frames = int(longest_s * form.rate_hz) + 1
            return form, file.read(min(size, frames * form.width * form.channels))
        follows = file.tell() + size + size % 2
        if name == b"fmt ":
            form = _form(file.read(min(size, 40)))
        file.seek(follows)
    raise ValueError("it has no samples: it ends too early")


def _form(chunk: bytes) -> _Form:
    if len(chunk) < 16:
        raise ValueError("it ends too early")
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == EXTENSIBLE:
        code = int.from_bytes(chunk[24:26], "little")
    if (code, bits) not in FORMATS:
        raise ValueError(f"its samples have format {code} and {bits} bits")
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"it has {channels} channels")
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise ValueError(f"the sample rate is {rate_hz} Hz")
    return _Form(code == FLOAT, channels, rate_hz, bits // 8)
