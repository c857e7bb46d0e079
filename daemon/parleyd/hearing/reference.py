"""The canceller's reference: what was written to the loudspeaker, period by period."""

import numpy as np

from parleyd.audio import StreamResampler
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames, ms_to_frames

LAG_MS = 25  # soxr's variable-rate stream takes 10 to 14 ms, a write that comes late 10 more
_MOST_MS = LAG_MS + 20  # two periods written at once are jitter; more is a restart of the card


class Reference:
    """Turns device-rate playback of any chunk size into one 16 kHz period a heartbeat.

    Frames come out `LAG_MS` after they went in, except those that only fill the card's
    queue at its start: `primed_frames` of them are passed over. Pure and deterministic.
    """

    def __init__(self, device_rate_hz: int, primed_frames: int = 0) -> None:
        self._rate_hz = device_rate_hz
        self._stream = StreamResampler(device_rate_hz, MIC_RATE_HZ, low_latency=True)
        self._line: Frames = np.zeros(ms_to_frames(LAG_MS, MIC_RATE_HZ), np.int16)
        self._replaces = primed_frames  # device frames to come that take dropped ones' place
        self.slipped = False
        """The last `take` found the line cut or dry: playback moved against recording."""

    def written(self, frames: Frames) -> None:
        """These device-rate frames were handed to the loudspeaker, behind all others."""
        replacing = min(self._replaces, len(frames))
        self._replaces -= replacing
        if replacing == len(frames):
            return
        self._line = np.concatenate([self._line, self._stream.process(frames[replacing:])])

    def dropped(self, queued_frames: int) -> int:
        """The newest `queued_frames` (device rate) were never played and never will be.

        What is written next is played in their place. Returns how many frames (16 kHz)
        that `take` has already given out are among them: they must be taken back.
        """
        queued_frames = max(0, queued_frames)  # some drivers count an underrun as less than none
        self._replaces = queued_frames
        unheard = queued_frames * MIC_RATE_HZ // self._rate_hz
        self._line[:] = 0
        return max(0, unheard - len(self._line))

    def take(self) -> Frames:
        """The next period: int16 mono, 160 frames at 16 kHz; silence when nothing was written."""
        surplus = len(self._line) - ms_to_frames(_MOST_MS, MIC_RATE_HZ)
        missing = MIC_PERIOD_FRAMES - len(self._line)
        self.slipped = surplus > 0 or missing > 0
        if surplus > 0:
            self._line = self._line[-ms_to_frames(LAG_MS, MIC_RATE_HZ) :]
        if missing > 0:
            self._line = np.concatenate([self._line, np.zeros(missing, np.int16)])
        period, self._line = self._line[:MIC_PERIOD_FRAMES], self._line[MIC_PERIOD_FRAMES:]
        return period
