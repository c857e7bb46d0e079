"""Keeps the newest turns as recordings, when the owner of the device asked for it."""

from collections import deque
from datetime import datetime
from pathlib import Path

import numpy as np

from parleyd import stereo
from parleyd.boundary import MicPeriod, Step
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS, SILENCE, Frames

LONGEST_S = 90  # of one turn: question, answer and what interrupted it; 11 MB at 48 kHz
SUFFIX = ".wav"


class Keeper:
    """Remembers the last `LONGEST_S` of loudspeaker and microphone; `save` writes them.

    `beat` is called on the audio thread and is cheap; `save` on any other, it blocks.
    """

    def __init__(self, folder: Path, keep: int, rate_hz: int) -> None:
        self._folder, self._keep, self._rate_hz = folder, keep, rate_hz
        periods = LONGEST_S * 1000 // PERIOD_MS
        self._microphone: deque[Frames] = deque(maxlen=periods)
        self._played: deque[Frames] = deque(maxlen=periods)
        self._pending: Frames = SILENCE
        self._closed = np.zeros(MIC_PERIOD_FRAMES, np.int16)

    def beat(self, period: MicPeriod, step: Step) -> None:
        """What went into the core and what came out of it, every period."""
        played = max(0, len(self._pending) - period.queued_frames)
        self._played.append(self._pending[:played])
        self._microphone.append(self._closed if period.frames is None else period.frames)
        rest = SILENCE if step.drop else self._pending[played:]
        self._pending = np.concatenate([rest, step.playback])

    def save(self) -> Path:
        """Write what is remembered, forget it, and delete the oldest recordings.

        Raises OSError when the folder cannot be written.
        """
        microphone, played = list(self._microphone), list(self._played)
        self._microphone.clear()
        self._played.clear()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"turn-{datetime.now():%Y%m%d-%H%M%S-%f}{SUFFIX}"
        loudspeaker = stereo.at_rate(np.concatenate([SILENCE, *played]), self._rate_hz, MIC_RATE_HZ)
        recording = stereo.Stereo(loudspeaker, np.concatenate([SILENCE, *microphone]))
        stereo.write(path, recording, MIC_RATE_HZ)
        for old in sorted(self._folder.glob(f"turn-*{SUFFIX}"))[: -self._keep]:
            old.unlink()
        return path
