"""The file that keeps what hearing learnt of the echo's path over restarts and power cuts."""

import io
import logging
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parleyd import config
from parleyd.hearing.echo_path import TAPS, EchoMemory
from parleyd.system import atomic_file
from parleyd.units import Floats

LONGEST_FILE = 1 << 20  # bytes; it has fifty thousand
NAMES = ("cards", "weights", "late", "delay", "drift")
# what zipfile is known to raise for damaged files; an encrypted member is a RuntimeError
DAMAGED = (OSError, ValueError, KeyError, IndexError, EOFError, RuntimeError, OverflowError,
           zipfile.BadZipFile, struct.error)  # fmt: skip

log = logging.getLogger(__name__)


class EchoFile:
    """One file, replaced as a whole; its methods block. Any thread."""

    def __init__(self, path: Path, audio: config.Audio) -> None:
        self._path = path
        # another pair of cards, or another lead between them, has another path
        self._cards = (
            f"{audio.capture} {audio.playback} {audio.playback_rate_hz} Hz {audio.lead_ms} ms"
        )

    def load(self) -> EchoMemory | None:
        """What was kept for these cards; None when there is nothing that can be used."""
        atomic_file.sweep(self._path.parent)
        atomic_file.tighten(self._path)
        try:
            members = _members(atomic_file.read(self._path, LONGEST_FILE))
            if members["cards"] != _npy(np.array(self._cards)):
                return None
            memory = EchoMemory(
                _numbers(members, "weights", np.zeros(TAPS, np.float32)),
                *(
                    float(_numbers(members, name, np.zeros((), np.float64)))
                    for name in ("late", "delay", "drift")
                ),
            )
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            log.warning("%s is of no use, the echo is learnt anew: %s", self._path, error)
            self._make_room()
            return None
        with np.errstate(all="ignore"):  # numbers of any size
            return memory if memory.plausible else None

    def save(self, memory: EchoMemory) -> None:
        """Keep this; a disk that is full or read-only is logged and changes nothing."""
        content = io.BytesIO()
        np.savez(
            content,
            cards=np.array(self._cards),
            weights=memory.weights,
            late=memory.late,
            delay=memory.delay,
            drift=memory.drift,
        )
        try:
            atomic_file.replace(self._path, content.getvalue())
        except OSError as error:
            log.warning("what was learnt of the echo is not kept: %s", error)

    def _make_room(self) -> None:
        """A folder in its place would be in the way of every `save`."""
        if self._path.is_dir():
            try:
                log.warning("it is kept as %s", atomic_file.put_aside(self._path))
            except OSError as error:
                log.warning("it cannot be put aside: %s", error)


def _members(content: bytes) -> dict[str, bytes]:
    """The arrays of an uncompressed npz file, as npy files. Raises one of `DAMAGED`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [archive.getinfo(f"{name}.npy") for name in NAMES]
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("it is compressed")  # a small file would unpack to any size
        return {name: archive.read(info) for name, info in zip(NAMES, infos, strict=True)}


def _numbers(members: Mapping[str, bytes], name: str, like: Floats) -> Floats:
    """An array of exactly this type and shape: only such were written, so the header, which
    numpy's own reader believes whatever it says, need not be interpreted."""
    empty = _npy(like)
    header, data = empty[: -like.nbytes], members[name]
    if len(data) != len(empty) or not data.startswith(header):
        raise ValueError(f"{name} is of another type or size")
    return np.frombuffer(data, like.dtype, offset=len(header)).reshape(like.shape)


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
