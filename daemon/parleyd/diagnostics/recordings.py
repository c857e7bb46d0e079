"""A folder of recordings: pairs of loudspeaker and microphone, and recorded turns."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parleyd import wav
from parleyd.audio import float_to_int16, resample
from parleyd.errors import ParleyError
from parleyd.units import MIC_RATE_HZ, Frames

PLAYED, HEARD = "_lpb", "_mic"
"""The ends of the names of a pair: the loudspeaker's signal and the microphone's."""

LARGEST_MB = 500  # over an hour at 48 kHz; more does not fit into a Pi's memory
MOST_CHANNELS = 32
_LEAST_S = 1.0
_Named = dict[str, list[Path]]  # the files of each name in lower case
_EXTENSIBLE = 0xFFFE  # the format is in the subformat: RFC 2361


class RecordedPair(NamedTuple):
    """One recording of a folder."""

    name: str
    stereo: wav.Stereo | None
    """At 16 kHz; None if it cannot be used."""

    problem: str = ""
    """Why it cannot be used; "" if it can."""


def recordings(folder: Path) -> Iterator[RecordedPair]:
    """Yield each recording of a folder in the order of names, read one at a time.

    A pair is NAME_lpb.wav and NAME_mic.wav, mono, in upper or lower case; any other WAV file must
    be stereo, with the loudspeaker on the left. Files of 16, 24 or 32 bits or float, of any rate,
    are read. A file that is not a recording is yielded with its problem. Blocks; raises
    `ParleyError` if the folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ParleyError(f"{folder}: cannot be read ({error.strerror or error})") from None
    named: _Named = defaultdict(list)
    for path in paths:
        named[path.name.lower()].append(path)
    for path in paths:
        name, end = _split(path)
        beside = _beside(path, named) if end else None
        if end == HEARD and beside is not None and _beside(beside, named) == path:
            continue  # heard with its partner
        try:
            yield RecordedPair(name, _read(path, end, beside))
        except ParleyError as error:
            yield RecordedPair(path.name, None, str(error))


def microphone(path: Path) -> Frames:
    """Return what a microphone heard, at 16 kHz: a mono WAV file, or the right of a recorded turn.

    Blocks. Raises `ParleyError`, which does not name the file.
    """
    channels = _channels(path)
    if len(channels) > 2:
        raise ParleyError(
            f"has {len(channels)} channels; one is expected, or a recorded turn with two"
        )
    return channels[-1]


def _split(path: Path) -> tuple[str, str]:
    """Return the name of a recording, and which half of a pair the file is; "" for no half."""
    for end in (PLAYED, HEARD):
        if _is_wav(path) and path.stem.lower().endswith(end):
            return path.stem[: -len(end)], end
    return path.stem, ""


def _is_wav(path: Path) -> bool:
    return path.suffix.lower() == ".wav"


def _other_half(path: Path) -> str:
    """Return the name of the other half in the case of this one."""
    name, end = _split(path)
    other = HEARD if end == PLAYED else PLAYED
    upper = path.stem[len(name) :].isupper()
    return f"{name}{other.upper() if upper else other}{path.suffix}"


def _beside(path: Path, named: _Named) -> Path | None:
    """Return the other half of a pair: of files that differ in case, the one most like this."""
    wanted = _other_half(path)
    found = named.get(wanted.lower(), [])
    alike = (sum(a == b for a, b in zip(file.name, wanted, strict=False)) for file in found)
    return max(zip(alike, found, strict=True), default=(0, None))[1]


def _read(path: Path, end: str, beside: Path | None) -> wav.Stereo:
    if path.is_dir():
        raise ParleyError("is a folder")
    if not _is_wav(path):
        raise ParleyError("is no WAV file")
    if not end:
        return _long_enough(*_exactly(path, 2))
    if beside is None:
        raise ParleyError(f"has no file {_other_half(path)} beside it")
    if end == HEARD:
        raise ParleyError(f"has no file beside it: {beside.name} belongs to another one")
    (played,) = _exactly(path, 1)
    try:
        (heard,) = _exactly(beside, 1)
    except ParleyError as error:
        raise ParleyError(f"{beside.name} {error}") from None
    return _long_enough(played, heard)


def _long_enough(played: Frames, heard: Frames) -> wav.Stereo:
    frames = min(len(played), len(heard))
    if frames < _LEAST_S * MIC_RATE_HZ:
        raise ParleyError("is shorter than a second")
    return wav.Stereo(played[:frames], heard[:frames])


def _exactly(path: Path, wanted: int) -> list[Frames]:
    channels = _channels(path)
    if len(channels) != wanted:
        expected = "two: loudspeaker left, microphone right" if wanted == 2 else "one"
        raise ParleyError(f"has {len(channels)} channels; expected: {expected}")
    return channels


def _channels(path: Path) -> list[Frames]:
    """Return the channels at 16 kHz. Raises `ParleyError`."""
    try:
        if not path.is_file():
            raise ParleyError("is no file")
        if path.stat().st_size > LARGEST_MB * 1_000_000:
            raise ParleyError(f"has more than {LARGEST_MB} MB")
        data = memoryview(path.read_bytes())  # its parts are no copies
    except OSError as error:
        raise ParleyError(f"cannot be read ({error.strerror or error})") from None
    kind, channels, rate_hz, bits, body = _parts(data)
    if not 1 <= channels <= MOST_CHANNELS:
        raise ParleyError(f"has {channels} channels: it is damaged")
    if not wav.SLOWEST_HZ <= rate_hz <= wav.FASTEST_HZ:
        raise ParleyError(f"has a sample rate of {rate_hz} Hz: it is damaged")
    frames = _frames(kind, bits, body)
    frames = frames[: len(frames) // channels * channels].reshape(-1, channels)
    return [resample(frames[:, n], rate_hz, MIC_RATE_HZ) for n in range(channels)]


def _parts(data: memoryview) -> tuple[int, int, int, int, memoryview]:
    """Return format, channels, rate, bits and samples of a RIFF WAVE file."""
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WAVE":
        raise ParleyError("is no WAV file")
    at, form = 12, None
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(chunk) >= 16:
            kind, channels, rate_hz = struct.unpack_from("<HHI", chunk)
            (bits,) = struct.unpack_from("<H", chunk, 14)
            if kind == _EXTENSIBLE and len(chunk) >= 26:
                (kind,) = struct.unpack_from("<H", chunk, 24)
            form = (kind, channels, rate_hz, bits)
        elif name == b"data" and form is not None:
            return (*form, chunk)  # a recording may be truncated anywhere
        at += 8 + size + size % 2
    raise ParleyError("is no WAV file with samples")


def _frames(kind: int, bits: int, body: memoryview) -> Frames:
    body = body[: len(body) // (max(bits, 8) // 8) * (max(bits, 8) // 8)]
    match kind, bits:
        case 1, 16:
            return np.frombuffer(body, "<i2").astype(np.int16, copy=False)
        case 1, 32:
            return (np.frombuffer(body, "<i4") >> 16).astype(np.int16)
        case 1, 24:
            upper = np.frombuffer(body, np.uint8).reshape(-1, 3)[:, 1:]
            return np.ascontiguousarray(upper).view("<i2").ravel().astype(np.int16)
        case 3, 32 | 64:
            samples = np.nan_to_num(np.frombuffer(body, f"<f{bits // 8}"), posinf=1.0, neginf=-1.0)
            return float_to_int16(np.clip(samples, -1.0, 1.0).astype(np.float64))
    raise ParleyError(
        f"has samples of format {kind} with {bits} bits; PCM of 16, 24 or 32 bits, or "
        "float, is expected"
    )
