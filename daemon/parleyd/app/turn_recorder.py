"""Keeps recordings of the newest turns, if the owner of the device asks for them."""

import errno
import threading
from datetime import datetime
from pathlib import Path

import numpy as np

from parleyd import wav
from parleyd.app.turn_buffer import TurnBuffer
from parleyd.audio import resample
from parleyd.system import atomic_file
from parleyd.units import MIC_RATE_HZ, SILENCE

SUFFIX = ".wav"


class TurnRecorder:
    """Buffers the current turn (`TurnBuffer`); `save` writes it.

    `observe` is called on the audio thread and is cheap; `save` on any other, and it blocks.
    """

    def __init__(self, folder: Path, keep: int, rate_hz: int) -> None:
        self._folder, self._keep, self._rate_hz = folder, keep, rate_hz
        self._saving = threading.Lock()
        self._written: list[Path] = []  # by this process and still there, the oldest first
        self._buffer = TurnBuffer()
        self.observe = self._buffer.observe
        """Call with the input and the output of the core, at each period."""

    def save(self) -> Path:
        """Write the buffered turn, empty the buffer, and delete the oldest recordings.

        The oldest are deleted first, to free their space, and more of them while the disk is
        full. Raises OSError if the folder cannot be written; no partial file remains then.
        """
        microphone, played = self._buffer.take()
        loudspeaker = resample(np.concatenate([SILENCE, *played]), self._rate_hz, MIC_RATE_HZ)
        recording = wav.Stereo(loudspeaker, np.concatenate([SILENCE, *microphone]))
        with self._saving:
            return self._save(recording)

    def _save(self, recording: wav.Stereo) -> Path:
        atomic_file.make_folder(self._folder)
        atomic_file.tighten(self._folder)
        atomic_file.sweep(self._folder)
        self._delete_oldest(leave=self._keep - 1)
        while True:
            try:
                return self._write(recording)
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                if not full or not self._delete_oldest(leave=len(self._kept()) - 1):
                    raise

    def _write(self, recording: wav.Stereo) -> Path:
        path = self._folder / f"turn-{datetime.now():%Y%m%d-%H%M%S-%f}{SUFFIX}"
        with atomic_file.draft(path) as new:
            wav.write(new, recording, MIC_RATE_HZ)
        self._written.append(path)
        return path

    def _kept(self) -> list[Path]:
        """All recordings, the oldest first.

        Their names follow the wall clock. It may have gone back, so those of this process
        are in the order in which they were written.
        """
        found = [path for path in self._folder.glob(f"turn-*{SUFFIX}") if not path.is_dir()]
        ours = [path for path in self._written if path in found]
        return [*sorted(set(found) - set(ours)), *ours]

    def _delete_oldest(self, leave: int) -> bool:
        """Delete all but the newest; True if there was one to delete."""
        gone = False
        for old in self._kept()[: -leave or None] if leave >= 0 else []:
            old.unlink(missing_ok=True)
            gone = True
        for path in self._kept():
            atomic_file.tighten(path)
        self._written = [path for path in self._written if path.exists()]
        return gone
