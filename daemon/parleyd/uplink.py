"""The microphone's way to the server: 16 kHz periods in, 24 kHz chunks out."""

import numpy as np
import soxr

from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, SILENCE, Floats, Frames

CHUNK_FRAMES = SERVER_RATE_HZ * 40 // 1000  # 25 messages a second; servers' VADs step by 30 ms


class Uplink:
    """Resamples and blocks one turn's audio; pure, owned by the audio thread."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new turn: what was not yet a whole chunk is forgotten."""
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
