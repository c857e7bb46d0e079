"""The far ends of two loopback cards: Parley's loudspeaker signal and its microphone signal.

The kernel's snd-aloop passes audio played on device 0 of a card to device 1, and vice versa.
Parley opens device 0 of both cards. The first program to open a card decides its format; the
second converts.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import alsaaudio
import numpy as np

from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Frames
from tests.bench.device.sound import Chunk
from tests.bench.device.watching import come_first

RATE_HZ = 48_000  # of the loudspeaker
SPEAKER, MICROPHONE = "Speaker", "Mic"  # ids of the cards
LISTEN_FRAMES = RATE_HZ // 200
TALK_PERIODS = 4
RETRY_S = 0.1
SPOKEN_WITHIN_S = 30.0


class _Line(threading.Thread):
    """A thread that owns one PCM and opens it again when the card returns."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._ending = threading.Event()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        come_first()
        while not self._ending.is_set():
            with contextlib.suppress(alsaaudio.ALSAAudioError):
                pcm = self._open()
                try:
                    while not self._ending.is_set():
                        self._move(pcm)
                finally:
                    with contextlib.suppress(alsaaudio.ALSAAudioError):
                        pcm.drop()
                    pcm.close()
            self._ending.wait(RETRY_S)

    def _open(self) -> Any:
        raise NotImplementedError

    def _move(self, pcm: Any) -> None:
        raise NotImplementedError


class Ear(_Line):
    """Records the loudspeaker's signal; a context manager."""

    def __init__(self) -> None:
        super().__init__("ear")
        self._chunks: list[Chunk] = []

    def since(self, begins_at: float) -> Sequence[Chunk]:
        """Return the chunks read since that time (monotonic)."""
        return [chunk for chunk in list(self._chunks) if chunk.read_at >= begins_at]

    def forget(self, before: float = math.inf) -> None:
        """Drop chunks recorded before that time."""
        old = sum(chunk.read_at < before for chunk in self._chunks)
        del self._chunks[:old]

    def _open(self) -> Any:
        return alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE,
            alsaaudio.PCM_NORMAL,
            device=f"plughw:CARD={SPEAKER},DEV=1",
            rate=RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=LISTEN_FRAMES,
            periods=32,
        )

    def _move(self, pcm: Any) -> None:
        count, data = pcm.read()
        if count > 0:
            self._chunks.append(Chunk(np.frombuffer(data, np.int16), time.monotonic()))


class Talker(_Line):
    """Feeds speech, otherwise silence, into the microphone; a context manager."""

    def __init__(self) -> None:
        super().__init__("talker")
        self._periods: deque[tuple[Frames, Utterance | None]] = deque()

    def say(self, *clips: Frames) -> "Utterance":
        """Queue the clips as one utterance; returns at once."""
        frames = np.concatenate(clips)
        frames = np.append(frames, np.zeros(-len(frames) % MIC_PERIOD_FRAMES, np.int16))
        utterance = Utterance(len(frames) / MIC_RATE_HZ)
        periods = np.split(frames, len(frames) // MIC_PERIOD_FRAMES)
        self._periods.extend((p, None if i else utterance) for i, p in enumerate(periods))
        return utterance

    def _open(self) -> Any:
        return alsaaudio.PCM(
            alsaaudio.PCM_PLAYBACK,
            alsaaudio.PCM_NORMAL,
            device=f"plughw:CARD={MICROPHONE},DEV=1",
            rate=MIC_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=MIC_PERIOD_FRAMES,
            periods=TALK_PERIODS,
        )

    def _move(self, pcm: Any) -> None:
        silence = np.zeros(MIC_PERIOD_FRAMES, np.int16)
        frames, begins = self._periods.popleft() if self._periods else (silence, None)
        data = frames.tobytes()
        while pcm.write(data) <= 0:
            pass  # after an underrun the stream is prepared: write again
        if begins is not None:
            ahead = TALK_PERIODS * MIC_PERIOD_FRAMES - pcm.avail() - len(frames)
            begins.begins(time.monotonic() + max(0, ahead) / MIC_RATE_HZ)


class Utterance:
    """One utterance of the talker."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._begins_at = 0.0
        self._known = threading.Event()

    def begins(self, at: float) -> None:
        """Set the time of the first frame at the microphone; called by the talker."""
        self._begins_at = at
        self._known.set()

    @property
    def onset(self) -> float:
        """Wait for and return the time of the first frame at the microphone (monotonic)."""
        if not self._known.wait(SPOKEN_WITHIN_S):
            raise AssertionError("cannot speak: the microphone's card accepts no audio")
        return self._begins_at

    @property
    def end(self) -> float:
        """Return the time of the last frame; waits like `onset`."""
        return self.onset + self._length_s
