"""A recording of the room: all played and all captured audio."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parleyd import wav
from parleyd.audio import resample
from parleyd.units import MIC_RATE_HZ, SILENCE, Frames


@dataclass(frozen=True, slots=True)
class Drop:
    """Frames that were written to the card and dropped before playback."""

    at_s: float
    frames: int


class Recording:
    """Records the loudspeaker at its rate and the microphone at 16 kHz, from second 0 on.

    Only the first `limit_s` seconds are recorded (half an hour at 48 kHz is 230 MB).
    """

    def __init__(self, loudspeaker_rate_hz: int, *, limit_s: float = 1800.0) -> None:
        self.loudspeaker_rate_hz = loudspeaker_rate_hz
        self._limit_frames = int(limit_s * MIC_RATE_HZ)
        self._played: list[Frames] = []
        self._heard: list[Frames] = []
        self._heard_frames = 0
        self._drops: list[Drop] = []

    def add(self, played: Frames, heard: Frames) -> None:
        """Append the next period of the loudspeaker and of the microphone."""
        if self._heard_frames < self._limit_frames:
            self._played.append(played)
            self._heard.append(heard)
            self._heard_frames += len(heard)

    def add_drop(self, at_s: float, frames: int) -> None:
        """Record that `frames` were dropped at second `at_s`."""
        if self._heard_frames < self._limit_frames:
            self._drops.append(Drop(at_s, frames))

    @property
    def drops(self) -> tuple[Drop, ...]:
        return tuple(self._drops)

    @property
    def duration_s(self) -> float:
        return self._heard_frames / MIC_RATE_HZ

    @property
    def loudspeaker(self) -> Frames:
        """All played frames, at `loudspeaker_rate_hz`."""
        return np.concatenate([SILENCE, *self._played])

    @property
    def microphone(self) -> Frames:
        """All captured frames, at 16 kHz."""
        return np.concatenate([SILENCE, *self._heard])

    def write_wav(self, path: Path, *, rate_hz: int = 48_000) -> None:
        """Write 16-bit stereo at `rate_hz`: loudspeaker on the left, microphone on the right.

        Blocks for about a second per recorded minute. Raises OSError if the write fails.
        """
        left = resample(self.loudspeaker, self.loudspeaker_rate_hz, rate_hz)
        right = resample(self.microphone, MIC_RATE_HZ, rate_hz)
        wav.write(path, wav.Stereo(left, right), rate_hz)
