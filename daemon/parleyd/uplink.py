"""The microphone's way to the server: when it is sent, from where on, and in what chunks."""

import numpy as np
import soxr

from parleyd.ears import Ears
from parleyd.realtime.session import Session
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, SERVER_RATE_HZ, SILENCE, Floats, Frames

CHUNK_FRAMES = SERVER_RATE_HZ * 40 // 1000  # 25 messages a second; servers' VADs step by 30 ms


class Uplink:
    """Sends each turn's cleaned audio without a gap or an overlap; owned by the audio thread."""

    def __init__(self, ears: Ears, session: Session) -> None:
        self._ears = ears
        self._session = session
        self._chunks = Chunks()
        self._unsent_ms = 0  # of the microphone, since the last that was sent
        self.open = False
        """What is heard goes to the server."""

    def begin(self, before_ms: float, *, speaking: bool) -> None:
        """A new turn: the server forgets what it has of an older one, then gets what was heard
        in the last `before_ms`. `speaking`: the user does so already."""
        self._session.begin_input()
        self._chunks = Chunks()
        self._ears.endpoint.reset(speaking)
        self.open = True
        self.push(self._ears.recent(before_ms))

    def go_on(self) -> None:
        """The same turn goes on: the server has its beginning, only the gap is filled."""
        self.open = True
        self._ears.endpoint.reset(True)
        self.push(self._ears.recent(self._unsent_ms))

    def push(self, frames: Frames) -> None:
        """Send int16 mono frames at 16 kHz, as soon as they make up a chunk."""
        self._unsent_ms = 0
        chunk = self._chunks.push(frames)
        if chunk is not None:
            self._session.append(chunk)

    def kept_back(self) -> None:
        """One period was heard and not sent."""
        self._unsent_ms += PERIOD_MS

    def finish(self) -> None:
        """The turn is complete: its last, shorter chunk goes."""
        self._session.append(self._chunks.flush())

    def close(self) -> None:
        """The turn is over; what of it still waits for a server is not told to a later one."""
        self.open = False
        if not self._session.ready:
            self._session.begin_input()

    def give_up(self) -> None:
        """There is no turn: the server forgets what was sent of it."""
        self.open = False
        self._session.begin_input()


class Chunks:
    """Resamples and blocks one turn's audio; pure."""

    def __init__(self) -> None:
        self._stream = soxr.ResampleStream(MIC_RATE_HZ, SERVER_RATE_HZ, 1, vr=True)
        self._rest: Frames = SILENCE

    def push(self, frames: Frames) -> Frames | None:
        """Add int16 mono frames at 16 kHz; returns frames at 24 kHz as soon as they are a chunk."""
        out: Floats = self._stream.resample_chunk(frames.astype(np.float32))
        pcm = np.clip(np.rint(out), -32768, 32767).astype(np.int16)
        self._rest = np.concatenate([self._rest, pcm])
        if len(self._rest) < CHUNK_FRAMES:
            return None
        chunk, self._rest = self._rest, SILENCE
        return chunk

    def flush(self) -> Frames:
        """What is left of the turn, less than a chunk; the resampler keeps its 15 ms."""
        rest, self._rest = self._rest, SILENCE
        return rest
