"""The voice detector: probability of speech, from the Silero model.

The package `silero-vad` imports torch. The ONNX file alone needs only onnxruntime, at 0.14 ms
for each 32 ms of audio. The model and its shapes: https://github.com/snakers4/silero-vad (MIT,
see ``models/LICENSE``).
"""

import math
from collections import deque
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime

from parleyd.audio import FULL_SCALE
from parleyd.units import MIC_RATE_HZ, Floats, Frames

CHUNK_FRAMES = 512  # 32 ms, the model's only chunk size at 16 kHz
_CONTEXT_FRAMES = 64  # the model was trained with the end of the previous chunk as a prefix
_STATE_SHAPE = (2, 1, 128)
_MODEL = Path(__file__).parent / "models" / "silero_vad_16k_op15.onnx"

_TARGET_RMS = 0.05  # -26 dBFS, the active level of the speech in its measurements
_RELEASE = 0.97  # level estimate per chunk: -8 dB a second, longer than a pause between words
_FADE = np.float32(0.25)  # with 0.5, echo confirms a clatter; with 0, a voice needs 80 ms more
_LEAST_RMS = 1e-6  # keeps the division finite in digital silence
_KEPT = 2  # skipped chunks that may hold the beginning of a voice


class VoiceActivityDetector:
    """Speech probability for each 32 ms chunk of a 16 kHz stream.

    `max_gain` > 1 enables a gain control that raises quiet audio towards -26 dBFS by at most
    that factor; it never attenuates. One object per stream; not thread-safe. Deterministic:
    the same frames give the same probabilities.
    """

    def __init__(self, max_gain: float = 1.0) -> None:
        self._session = _session()
        self._max_gain = max_gain
        self._rate = np.array(MIC_RATE_HZ, np.int64)
        self._window: Floats = np.zeros((1, _CONTEXT_FRAMES + CHUNK_FRAMES), np.float32)
        self.reset()

    def reset(self) -> None:
        """Discard the whole state, as for a new stream."""
        self._state = np.zeros(_STATE_SHAPE, np.float32)
        self._window.fill(0.0)
        self._filled = 0
        self._level = 0.0
        self._waiting: deque[Floats] = deque()

    def decay_state(self) -> None:
        """Decay the state: an earlier voice fades, and a new voice is still detected as fast."""
        self._state *= _FADE

    def process(self, frames: Frames) -> list[float]:
        """Return the probability of each chunk completed by `frames`, oldest first.

        `frames`: the stream's next frames, int16 mono at 16 kHz, any number.
        Takes about 0.15 ms for each completed chunk; does not block. After `skip`, the chunks that
        were kept come first, and a call that completes none returns one that waits.
        """
        completed = self._collect(frames)
        due = min(max(completed, 1), len(self._waiting))
        return [self._judge(self._waiting.popleft()) for _ in range(due)]

    def skip(self, frames: Frames) -> list[float]:
        """Take the next frames as `process` does, but no user speaks: each probability is 0.

        The model is not run and keeps its state; `process` begins with the newest of these chunks.
        """
        completed = self._collect(frames)
        while len(self._waiting) > _KEPT:
            self._waiting.popleft()
        return [0.0] * completed

    def _collect(self, frames: Frames) -> int:
        """Append to the window; return how many chunks were completed, which wait now."""
        completed = 0
        while len(frames):
            room = CHUNK_FRAMES - self._filled
            part, frames = frames[:room], frames[room:]
            start = _CONTEXT_FRAMES + self._filled
            self._window[0, start : start + len(part)] = part
            self._filled += len(part)
            if self._filled == CHUNK_FRAMES:
                self._waiting.append(self._window * np.float32(self._gain() / FULL_SCALE))
                self._window[0, :_CONTEXT_FRAMES] = self._window[0, -_CONTEXT_FRAMES:]
                self._filled = 0
                completed += 1
        return completed

    def _judge(self, scaled: Floats) -> float:
        output, self._state = self._session.run(
            None, {"input": scaled, "state": self._state, "sr": self._rate}
        )
        return float(output[0, 0])

    def _gain(self) -> float:
        chunk = self._window[0, _CONTEXT_FRAMES:]
        rms = math.sqrt(float(chunk.dot(chunk)) / CHUNK_FRAMES) / FULL_SCALE
        self._level = max(rms, self._level * _RELEASE)
        wanted = _TARGET_RMS / max(self._level, _LEAST_RMS)
        return max(1.0, min(wanted, self._max_gain))


@cache
def _session() -> onnxruntime.InferenceSession:
    """Return the model, which is loaded once per process; running it is thread-safe."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # otherwise, idle worker threads would use a whole core between two chunks
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # with fixed shapes, a tenth of the model's work is done once, when it is loaded
    options.add_free_dimension_override_by_name("batch", 1)
    options.add_free_dimension_override_by_name("sequence", _CONTEXT_FRAMES + CHUNK_FRAMES)
    return onnxruntime.InferenceSession(
        str(_MODEL), sess_options=options, providers=["CPUExecutionProvider"]
    )
