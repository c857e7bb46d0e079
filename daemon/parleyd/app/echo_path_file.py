"""The file that keeps the echo path over restarts and power cuts."""

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
from parleyd.hearing.echo_path import TAPS, EchoPath
from parleyd.hearing.microphone_watch import Processing
from parleyd.system import atomic_file
from parleyd.units import Floats

LONGEST_FILE = 1 << 20  # bytes; it has fifty thousand
NAMES = ("cards", "weights", "late", "delay", "drift")
PROCESSING = "processing"  # is not in the files of older versions
# zipfile raises these for damaged files; an encrypted member is a RuntimeError
DAMAGED = (OSError, ValueError, KeyError, IndexError, EOFError, RuntimeError, OverflowError,
           zipfile.BadZipFile, struct.error)  # fmt: skip

log = logging.getLogger(__name__)


class EchoPathFile:
    """One file, replaced as a whole; its methods block. Any thread."""

    def __init__(self, path: Path, audio: config.AudioConfig) -> None:
        self._path = path
        # another pair of cards, or another lead between them, has another path
        self._cards = (
            f"{audio.capture} {audio.playback} {audio.playback_rate_hz} Hz {audio.lead_ms} ms"
        )

    def load(self) -> EchoPath | None:
        """The saved echo path of these cards; None if there is none that is plausible."""
        atomic_file.sweep(self._path.parent)
        atomic_file.tighten(self._path)
        try:
            members = _members(atomic_file.read(self._path, LONGEST_FILE))
            if members["cards"] != _npy(np.array(self._cards)):
                return None
            late, delay, drift = (
                float(_numbers(members, name, np.zeros((), np.float64)))
                for name in ("late", "delay", "drift")
            )
            memory = EchoPath(
                _numbers(members, "weights", np.zeros(TAPS, np.float32)),
                late,
                delay,
                drift,
                _processing(members.get(PROCESSING)),
            )
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            log.warning("%s is unreadable; relearning the echo path: %s", self._path, error)
            self._make_room()
            return None
        with np.errstate(all="ignore"):  # numbers of any size
            return memory if memory.plausible else None

    def save(self, memory: EchoPath) -> None:
        """Save an echo path; a full or read-only disk is logged and changes nothing."""
        content = io.BytesIO()
        np.savez(
            content,
            cards=np.array(self._cards),
            weights=memory.weights,
            late=memory.late,
            delay=memory.delay,
            drift=memory.drift,
            processing=np.array(str(memory.processing or "")),
        )
        try:
            atomic_file.write(self._path, content.getvalue())
        except OSError as error:
            log.warning("the echo path is not saved: %s", error)

    def _make_room(self) -> None:
        """Move a folder away that has the file's name: every `save` would fail."""
        if self._path.is_dir():
            try:
                log.warning("the folder is kept as %s", atomic_file.put_aside(self._path))
            except OSError as error:
                log.warning("the folder cannot be moved: %s", error)


def _members(content: bytes) -> dict[str, bytes]:
    """The arrays of an uncompressed npz file, as npy files. Raises one of `DAMAGED`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [*NAMES, *([PROCESSING] if f"{PROCESSING}.npy" in archive.namelist() else [])]
        infos = [archive.getinfo(f"{name}.npy") for name in names]
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("it is compressed")  # a small file would unpack to any size
        return {name: archive.read(info) for name, info in zip(names, infos, strict=True)}


def _processing(member: bytes | None) -> Processing | None:
    """The kind of processing that was saved; None for none, and for one of a newer version."""
    return next((kind for kind in Processing if _npy(np.array(str(kind))) == member), None)


def _numbers(members: Mapping[str, bytes], name: str, like: Floats) -> Floats:
    """An array of exactly this type and shape.

    `save` writes no other, so the header is compared and not interpreted: numpy's own reader
    would believe it.
    """
    empty = _npy(like)
    header, data = empty[: -like.nbytes], members[name]
    if len(data) != len(empty) or not data.startswith(header):
        raise ValueError(f"{name} is of another type or size")
    return np.frombuffer(data, like.dtype, offset=len(header)).reshape(like.shape)


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
