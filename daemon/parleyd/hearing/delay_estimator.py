"""Estimate the delay from the loudspeaker to the microphone from the sound itself.

Cross-correlation with phase transform (Knapp and Carter 1976), averaged over about one second
of playback.
"""

import numpy as np

from parleyd.audio import SlidingWindow
from parleyd.hearing.fft import Spectra, irfft, rfft
from parleyd.hearing.own_voice import FARTHEST as FARTHEST_FOUND
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, Floats, Frames

LONGEST = 300 * MIC_RATE_HZ // 1000  # 250 ms of hardware on top of the playback lead
FARTHEST = FARTHEST_FOUND + LONGEST  # when searched around a delay that `own_voice` has found
KEPT = FARTHEST_FOUND + MIC_RATE_HZ  # what it compares; more than FARTHEST and the history of
# the canceller, 250 ms
_WINDOW = 2048  # 128 ms of the microphone at a time
_FFT = 8192  # window plus longest delay, without circular wrap
_EVERY = _WINDOW // MIC_PERIOD_FRAMES + 1
_SLACK = 100 * MIC_PERIOD_FRAMES  # a window moves once a second
_MEMORY = np.float32(0.85)  # per window: 0.8 s, several syllables
_AUDIBLE = 100  # -50 dBFS: quieter playback is not analysed
_SURE = 0.05  # the least height of a peak (at most 1); unrelated signals reach 0.02
_AGREEING = 3  # consecutive estimates, 0.4 s, ...
_NEAR = 2  # ... that differ by at most this number of frames
_BEFORE = 100 * MIC_RATE_HZ // 1000  # earlier than a delay that is known to 20 ms
_JUMP = 50 * MIC_RATE_HZ // 1000  # more than a driver loses in one xrun


class EchoPathDelayEstimator:
    """Compares microphone and reference of one stream; about 20 us per period on average."""

    def __init__(self) -> None:
        self._reference = SlidingWindow(KEPT, _SLACK, np.int16)
        self._mic = SlidingWindow(_WINDOW, _SLACK, np.float32)
        self._periods = 0
        # the reference's even and odd frames, then the microphone's
        self._halves = np.zeros((4, _FFT // 2), np.float32)
        self._from = 0
        self.forget()

    @property
    def reference(self) -> Frames:
        """The newest `KEPT` frames of the reference: a view, valid until the next `push`."""
        return self._reference.samples

    def forget(self) -> None:
        """Discard all estimates so far."""
        self._spectra: Spectra | None = None  # of `_halves`, until they are compared
        self._cross = np.zeros(_FFT // 2 + 1, np.complex64)
        self._histories: tuple[list[float | None], list[float | None]] = ([], [])

    def reaches(self, delay: float) -> bool:
        """Return whether a delay in frames is among those that are searched."""
        return self._from <= delay <= self._from + LONGEST

    def search_around(self, delay: float) -> None:
        """Search 300 ms around this delay from now on, and discard all estimates so far."""
        self._from = min(max(0, int(delay) - _BEFORE), FARTHEST_FOUND)
        self.forget()

    def push(self, mic: Frames | Floats, reference: Frames) -> bool:
        """Process one period; return whether `delay` and `jump` have new data."""
        self._mic.push(mic)
        self._reference.push(reference)
        self._periods += 1
        stage = self._periods % _EVERY  # no period may take all of the work
        if stage == 0:
            self._spectra = self._transform()
        elif stage == 1 and self._spectra is not None:
            self._cross *= _MEMORY
            self._cross += _white(_cross_spectrum(self._spectra), np.float32(1e-12))
        elif stage == 2 and self._spectra is not None:
            self._spectra = None
            return True
        return False

    def delay(self) -> float | None:
        """Return the frames from a reference to its strongest echo, or None if uncertain."""
        found = self._agreed(0, _peak(self._cross, 0, LONGEST + 1))
        return None if found is None else self._from + found

    def jump(self, path: Floats, early: float) -> float | None:
        """Return the frames by which the echo is later than in `path`, or None if uncertain.

        `path`: the canceller's impulse response, which begins `early` frames after the
        reference was passed in.
        """
        expected = rfft(path, _FFT) * np.exp(_TURN * (early - self._from)).astype(np.complex64)
        return self._agreed(1, _peak(self._cross * expected.conj(), -_JUMP, _JUMP))

    def _transform(self) -> Spectra | None:
        """Return the spectra of the newest windows' even and odd frames; None if playback is too
        quiet.

        Four short transforms in one call take a third of the time of two long ones.
        """
        end = len(self.reference) - self._from
        newest = self.reference[end - _FFT : end]
        if newest[LONGEST:].max() < _AUDIBLE:
            return None
        self._halves[0], self._halves[1] = newest[::2], newest[1::2]
        near = self._mic.samples * _HANN
        self._halves[2, -_WINDOW // 2 :], self._halves[3, -_WINDOW // 2 :] = near[::2], near[1::2]
        return rfft(self._halves, _FFT // 2)

    def _agreed(self, which: int, found: float | None) -> float | None:
        history = self._histories[which]
        history.append(found)
        del history[:-_AGREEING]
        if len(history) < _AGREEING or any(lag is None for lag in history):
            return None
        lags = [lag for lag in history if lag is not None]
        return lags[-1] if max(lags) - min(lags) <= _NEAR else None


def _cross_spectrum(halves: Spectra) -> Spectra:
    """Return the cross spectrum of microphone and reference from the result of `_transform`."""
    odd = halves[1::2] * _ODD_LATER
    far, near = halves[::2] + odd
    mirrored_far, mirrored_near = halves[::2] - odd  # conjugates of the upper half, from its end
    cross = np.empty(_FFT // 2 + 1, np.complex64)
    np.multiply(near, far.conj(), out=cross[: len(near)])
    np.multiply(mirrored_far, mirrored_near.conj(), out=cross[: -len(near) - 1 : -1])
    return cross


def _white(cross: Spectra, least: np.float32) -> Spectra:
    """Return the phases alone: the phase transform."""
    white: Spectra = cross * (1 / (np.abs(cross) + least))  # a complex division takes 7 times it
    return white


def _peak(cross: Spectra, least: int, most: int) -> float | None:
    alike = irfft(_white(cross, np.float32(1e-6)))
    lags = np.concatenate((alike[least:], alike[:most])) if least < 0 else alike[least:most]
    at = int(np.argmax(lags))
    if lags[at] < _SURE:
        return None
    before, top, after = lags[max(at - 1, 0)], lags[at], lags[min(at + 1, len(lags) - 1)]
    curve = before - 2 * top + after
    return at + least + float((before - after) / (2 * curve) if curve < 0 else 0.0)


_HANN = np.hanning(_WINDOW).astype(np.float32)  # or the edges of a tone would look like an echo
_TURN = (-2j * np.pi * np.arange(_FFT // 2 + 1) / _FFT).astype(np.complex64)
_ODD_LATER = np.exp(_TURN[: _FFT // 4 + 1]).astype(np.complex64)
