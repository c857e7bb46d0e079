"""Align the reference with its echo: the delay, its jumps, and the drift of the clocks."""

import math

import numpy as np

from parleyd.hearing.delay_estimator import FARTHEST, EchoPathDelayEstimator
from parleyd.hearing.echo_canceller import HISTORY, HOP, EchoCanceller
from parleyd.hearing.echo_path import EchoPath
from parleyd.units import MIC_RATE_HZ, Floats, Frames, ms_to_frames

HEADROOM = ms_to_frames(20, MIC_RATE_HZ)  # keeps the echo after its reference despite card jitter
_EARLIEST, _LATEST = (ms_to_frames(ms, MIC_RATE_HZ) for ms in (5, 50))  # leaves 190 ms of tail
_MOVED = 3  # frames; the filter follows smaller changes itself
_KEEP_EVERY = 50  # periods: the echo path of half a second ago is from before a jump
_DOUBT_PERIODS = 300  # of sound or not: then a new delay is a jump like any other
_TAPS = 16  # of the interpolation: -60 dB up to 7 kHz
_LEAST_LATE = _TAPS // 2  # the look-ahead of the interpolation, in frames
_MOST_LATE = FARTHEST  # before it, `KEPT` has room for the canceller's history and the taps

# A clock's error is the slope of the delay: a frame in 10 s is 6 ppm.
_DRIFT_POINTS = 150  # 20 s of playback
_LEAST_POINTS = 40  # 5 s
_SCATTER = 0.7  # frames around the slope; a larger value is not drift but a jumping peak
_LEAST_DRIFT = 4e-6  # the filter follows a smaller drift better itself
_LARGEST_DRIFT = 500e-6  # above the error of any crystal


class Alignment:
    """Delays the reference of one stream so that its echo follows it by about 20 ms.

    The delay is estimated from the sound, within half a second of playback: up to 300 ms, or
    around a longer delay after `search_around`. One caller, one `process` per period.
    `early`: the least number of frames from passing a reference frame to its sound.
    """

    def __init__(self, canceller: EchoCanceller, early: int) -> None:
        self._canceller = canceller
        self._finder = EchoPathDelayEstimator()
        self._late = _bounded(early - HEADROOM)
        self._delay: float | None = None
        self._drift = 0.0  # frames per frame by which the playback clock falls behind
        self._points = np.zeros((2, _DRIFT_POINTS))  # periods and delays, newest last
        self._known = 0  # of them
        self._periods = 0
        self._doubtful = 0  # periods in which the echo may have moved

    @property
    def delay_ms(self) -> float | None:
        """The time from passing a reference frame to its echo; None while it is unknown."""
        return None if self._delay is None else self._delay * 1000 / MIC_RATE_HZ

    @property
    def drift_ppm(self) -> float:
        """The playback clock's lag behind the capture clock; 0 while it is unknown."""
        return self._drift * 1e6

    def echo_path(self) -> EchoPath | None:
        """Return the learned echo path; None before its delay is known."""
        if self._delay is None:
            return None
        return EchoPath(self._canceller.weights, self._late, self._delay, self._drift)

    def restore(self, memory: EchoPath) -> None:
        """Start from a saved echo path.

        A restarted card has a delay that differs by some ms; `EchoPathDelayEstimator.jump` finds
        it in the first second of sound.
        """
        self._canceller.weights = memory.weights
        if not self._finder.reaches(memory.delay):
            self._finder.search_around(memory.delay)
        self._late, self._delay, self._drift = _bounded(memory.late), memory.delay, memory.drift

    @property
    def reference(self) -> Frames:
        """The newest frames of the reference, not delayed: a view, valid until `process`."""
        return self._finder.reference

    def search_around(self, delay: float) -> bool:
        """The echo was found `delay` frames after its reference (to 20 ms).

        Returns whether it was searched elsewhere until now; then the delay is unknown.
        """
        if self._finder.reaches(delay):
            return False
        self._finder.search_around(delay)
        self._delay = None
        self._known = 0
        return True

    def process(self, mic: Frames | Floats, reference: Frames) -> Floats:
        """Return the reference that belongs to `mic`: 160 frames on int16's scale."""
        self._periods += 1
        self._doubtful = max(0, self._doubtful - 1)
        if self._periods % _KEEP_EVERY == 0 and not self._doubtful:
            self._canceller.keep()
        if self._drift:
            self._late = _bounded(self._late + self._drift * HOP)
        if self._finder.push(mic, reference):
            self._follow()
        return self._delayed(HOP)

    def doubt(self) -> None:
        """The echo may have moved: estimate the delay from sound after this call only.

        If it did, the canceller continues with its earlier echo path.
        """
        self._finder.forget()
        self._doubtful = _DOUBT_PERIODS

    def dropped(self, frames: int) -> None:
        """Remove the newest `frames` of the reference, which were never played."""
        self._finder.reference[max(0, len(self._finder.reference) - frames) :] = 0
        self._canceller.replay(self._delayed(HISTORY))

    def _delayed(self, frames: int) -> Floats:
        whole = int(self._late)
        part = self._late - whole
        end = len(self._finder.reference) - whole
        if part == 0.0:
            return self._finder.reference[end - frames : end].astype(np.float32)
        line = self._finder.reference[end - frames - _LEAST_LATE : end + _LEAST_LATE - 1]
        return np.convolve(line, _interpolation(part), "valid").astype(np.float32)

    def _follow(self) -> None:
        delay = self._finder.delay()
        if delay is None:
            return
        doubtful, self._doubtful = self._doubtful > 0, 0
        if doubtful and self._delay is not None and abs(delay - self._delay) >= _MOVED:
            self._late = _bounded(self._late + delay - self._delay)
            self._canceller.recall()
            self._moved_to(delay)
        wanted = _bounded(delay - HEADROOM)
        if not _EARLIEST <= delay - self._late <= _LATEST and wanted != self._late:
            self._late = wanted
            self._canceller.forget()
            self._moved_to(delay)
        elif self._delay is None:
            self._moved_to(delay)
        elif abs(delay - self._delay) >= _MOVED:
            self._jump(delay, self._delay)
        else:
            self._delay = delay
            self._estimate_drift(delay)

    def _jump(self, delay: float, before: float) -> None:
        jump = self._finder.jump(self._canceller.weights, self._late)
        if jump is not None and abs(delay - before - jump) <= _MOVED:
            self._late = _bounded(self._late + jump)
            self._moved_to(delay)

    def _moved_to(self, delay: float) -> None:
        self._delay = delay
        self._known = 0
        self._canceller.replay(self._delayed(HISTORY))

    def _estimate_drift(self, delay: float) -> None:
        self._points[:, :-1] = self._points[:, 1:]
        self._points[:, -1] = self._periods, delay
        self._known = min(self._known + 1, _DRIFT_POINTS)
        if self._known < _LEAST_POINTS:
            return
        newest = self._points[:, -self._known :]
        periods, delays = newest - np.add.reduce(newest, axis=1, keepdims=True) / self._known
        slope = float(periods.dot(delays) / periods.dot(periods))  # least squares
        left = delays - slope * periods
        scatter = math.sqrt(left.dot(left) / self._known)
        drift = slope / HOP
        if scatter < _SCATTER and abs(drift) < _LARGEST_DRIFT:
            self._drift = drift if abs(drift) > _LEAST_DRIFT else 0.0


def _bounded(late: float) -> float:
    """Limit a delay to the stored reference: clocks drift, and a saved delay may be wrong."""
    return min(max(float(late), float(_LEAST_LATE)), float(_MOST_LATE))


def _interpolation(part: float) -> Floats:
    """Return a windowed sinc that delays by `part` of a frame; for `np.convolve`."""
    at = np.arange(_TAPS) - (_LEAST_LATE - 1) - part
    window = np.cos(np.pi * at / (_TAPS + 1)) ** 2
    taps = np.sinc(at) * window
    return np.asarray(taps / taps.sum(), np.float32)
