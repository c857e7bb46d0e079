"""The audio of the current turn, and of at most two seconds before it."""

import threading
from collections import deque

import numpy as np

from parleyd.core.events import MicPeriod, TickResult
from parleyd.core.states import State
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, SILENCE, Frames

LONGEST_S = 90  # of one turn: question, answer and what interrupted it; 11 MB at 48 kHz
BEFORE_S = 2  # a wake word takes one, and its cause may precede it; earlier speech is private

Pair = tuple[Frames, Frames]
"""One period of the microphone and of the loudspeaker."""


class TurnBuffer:
    """Both sides of the newest turn; while idle, only the last `BEFORE_S`.

    When the microphone opens again, all audio from before it was closed is dropped. `observe` is
    called on the audio thread and is cheap; `take` on any other.
    """

    def __init__(self) -> None:
        self._current = _room(BEFORE_S)
        self._ended: deque[Pair] | None = None  # the turn that has ended
        self._pending: Frames = SILENCE
        self._closed = np.zeros(MIC_PERIOD_FRAMES, np.int16)
        self._was_idle, self._was_closed = True, False
        self._lock = threading.Lock()

    def observe(self, period: MicPeriod, step: TickResult) -> None:
        """Take the input and the output of the core, at each period."""
        count = max(0, len(self._pending) - period.queued_frames)
        played = self._pending[:count]
        rest = SILENCE if step.drop else self._pending[count:]
        self._pending = np.concatenate([rest, step.playback])
        closed, idle = period.frames is None, step.state is State.IDLE
        with self._lock:
            if self._was_closed and not closed and self._was_idle:
                self._current.clear()
            if self._was_idle and not idle:
                self._ended, self._current = None, deque(self._current, _periods(LONGEST_S))
            self._current.append((self._closed if period.frames is None else period.frames, played))
            if idle and not self._was_idle:
                self._ended, self._current = self._current, _room(BEFORE_S)
        self._was_idle, self._was_closed = idle, closed

    def take(self) -> tuple[list[Frames], list[Frames]]:
        """Remove and return microphone and loudspeaker of the turn that ended last, or of now."""
        with self._lock:
            if self._ended is not None:
                taken, self._ended = self._ended, None
            else:
                taken, self._current = self._current, deque(maxlen=self._current.maxlen)
        return [heard for heard, _ in taken], [played for _, played in taken]


def _room(seconds: int) -> deque[Pair]:
    return deque(maxlen=_periods(seconds))


def _periods(seconds: int) -> int:
    return seconds * 1000 // PERIOD_MS
