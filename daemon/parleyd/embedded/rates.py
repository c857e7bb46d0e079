"""Resampling between the protocol's 24 kHz and the 16 kHz of offline speech.

In float32: soxr dithers int16 with a new seed each time, and then the same
speech would give other bytes, and now and then another decision.
"""

import numpy as np
import soxr

from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ, Floats, Frames


class ToMicRate:
    """A 24 kHz stream of PCM16 as int16 frames at 16 kHz; keeps state between chunks."""

    def __init__(self) -> None:
        self._stream = soxr.ResampleStream(SERVER_RATE_HZ, MIC_RATE_HZ, 1, dtype="float32")

    def process(self, pcm: bytes) -> Frames:
        """The next chunk; the output lags behind by the filter's 10 ms or so."""
        return _rounded(self._stream.resample_chunk(_floats(pcm)))


def to_mic_rate(pcm: bytes) -> Frames:
    """A whole utterance of PCM16 at 24 kHz as int16 frames at 16 kHz."""
    return _rounded(soxr.resample(_floats(pcm), SERVER_RATE_HZ, MIC_RATE_HZ))


def to_server_rate(frames: Frames, rate_hz: int) -> Frames:
    """A whole sentence at `rate_hz` as int16 frames at 24 kHz."""
    return _rounded(soxr.resample(frames.astype(np.float32), rate_hz, SERVER_RATE_HZ))


def _floats(pcm: bytes) -> Floats:
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def _rounded(samples: Floats) -> Frames:
    return np.rint(samples).clip(-32768, 32767).astype(np.int16)
