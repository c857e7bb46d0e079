"""The canceller's reference: the frames written to the loudspeaker, period by period."""

from collections import deque

import numpy as np

from parleyd.audio import StreamResampler
from parleyd.hearing.decimator import Decimator
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames, ms_to_frames

LAG_MS = 25  # soxr's variable-rate stream takes 10 to 14 ms, and a late write 10 ms more
_LAG = ms_to_frames(LAG_MS, MIC_RATE_HZ)
_MOST = _LAG + ms_to_frames(20, MIC_RATE_HZ)  # more is jitter; if it stays, the card restarted
_BURST_PERIODS = 30  # a sound server or a busy machine hands out up to 0.2 s at once
_LONGEST = ms_to_frames(500, MIC_RATE_HZ)  # more than any card has queued


class Reference:
    """Converts device-rate playback of any chunk size to 16 kHz periods.

    Frames leave `LAG_MS` after they enter. The first `primed_frames`, which only fill the
    card's queue at its start, are skipped. Pure and deterministic.
    """

    def __init__(self, device_rate_hz: int, primed_frames: int = 0) -> None:
        self._rate_hz = device_rate_hz
        factor, rest = divmod(device_rate_hz, MIC_RATE_HZ)
        self._stream: Decimator | StreamResampler
        if factor > 1 and rest == 0:
            self._stream = Decimator(factor)
        else:
            self._stream = StreamResampler(device_rate_hz, MIC_RATE_HZ, low_latency=True)
        self._line: Frames = np.zeros(_LAG, np.int16)
        self._lengths: deque[int] = deque(maxlen=_BURST_PERIODS)  # of the line, at each period
        self._replaces = primed_frames  # the next device frames, which replace dropped ones
        self.slipped = False
        """Whether the last `take` cut or padded the line: playback shifted relative to capture."""

    def written(self, frames: Frames) -> None:
        """Append device-rate frames that were passed to the loudspeaker."""
        replacing = min(self._replaces, len(frames))
        self._replaces -= replacing
        if replacing == len(frames):
            return
        self._line = np.concatenate([self._line, self._stream.process(frames[replacing:])])

    def dropped(self, queued_frames: int) -> int:
        """Remove the newest `queued_frames` (device rate), which a drop silenced.

        The frames written next are played in their place. Returns the number of removed frames
        (16 kHz) that `take` has already returned: the caller must take them back.
        """
        queued_frames = max(
            0, queued_frames
        )  # some drivers report a negative number in an underrun
        self._replaces = queued_frames
        unheard = queued_frames * MIC_RATE_HZ // self._rate_hz
        self._line[:] = 0
        return max(0, unheard - len(self._line))

    def take(self) -> Frames:
        """Return the next period: int16 mono, 160 frames at 16 kHz; silence without playback."""
        surplus, missing = self._surplus(), MIC_PERIOD_FRAMES - len(self._line)
        self.slipped = surplus > 0 or missing > 0
        if surplus > 0:
            self._line = self._line[surplus:]
            self._lengths.clear()
        if missing > 0:
            self._line = np.concatenate([self._line, np.zeros(missing, np.int16)])
        period, self._line = self._line[:MIC_PERIOD_FRAMES], self._line[MIC_PERIOD_FRAMES:]
        return period

    def _surplus(self) -> int:
        """Return how many frames more than `LAG_MS` the line always has, if that is a restart.

        A burst of periods empties the line again; what is never taken was written twice.
        """
        self._lengths.append(len(self._line))
        if len(self._line) <= _MOST:
            return 0
        if len(self._line) > _LONGEST:
            least = len(self._line)
        elif len(self._lengths) == _BURST_PERIODS:
            least = min(self._lengths)
        else:
            return 0
        return least - _LAG if least > _MOST else 0
