"""Keeps the newest turns as recordings, when the owner of the device asked for it."""

from datetime import datetime
from pathlib import Path

import numpy as np

from parleyd import stereo
from parleyd.host.turn_buffer import TurnBuffer
from parleyd.units import MIC_RATE_HZ, SILENCE

SUFFIX = ".wav"


class Keeper:
    """Remembers the turn that is going on (`TurnBuffer`); `save` writes it.

    `beat` is called on the audio thread and is cheap; `save` on any other, it blocks.
    """

    def __init__(self, folder: Path, keep: int, rate_hz: int) -> None:
        self._folder, self._keep, self._rate_hz = folder, keep, rate_hz
        self._buffer = TurnBuffer()
        self.beat = self._buffer.beat
        """Call with what went into the core and what came out of it, every period."""

    def save(self) -> Path:
        """Write what is remembered, forget it, and delete the oldest recordings.

        Raises OSError when the folder cannot be written.
        """
        microphone, played = self._buffer.take()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"turn-{datetime.now():%Y%m%d-%H%M%S-%f}{SUFFIX}"
        loudspeaker = stereo.at_rate(np.concatenate([SILENCE, *played]), self._rate_hz, MIC_RATE_HZ)
        recording = stereo.Stereo(loudspeaker, np.concatenate([SILENCE, *microphone]))
        stereo.write(path, recording, MIC_RATE_HZ)
        for old in sorted(self._folder.glob(f"turn-*{SUFFIX}"))[: -self._keep]:
            old.unlink()
        return path
