"""Measures recordings of real devices: python -m tests.bench.hearing.device_figures FOLDER.

The folder has pairs of `NAME_lpb.wav` (the loudspeaker's signal) and `NAME_mic.wav`,
mono at 16 kHz. The ranges of `tests.bench.hearing.device` are set from these figures.
"""

import sys
from pathlib import Path

import numpy as np

from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ

_WINDOW = 2 * MIC_RATE_HZ
_LATEST = MIC_RATE_HZ // 2
_CLEAR = 12.0  # of a correlation's peak over its RMS: the delay of this window is known
_AUDIBLE = 1e-4  # mean square of the loudspeaker's sound
_FFT = 4096  # 256 ms: longer than most of a room's echo
_EDGE_DB = 30.0
_CLIPPED = 0.98


def main() -> None:
    for mic_path in sorted(Path(sys.argv[1]).glob("*_mic.wav")):
        mic, reference = (_read(p) for p in (mic_path, _reference_of(mic_path)))
        count = min(len(mic), len(reference))
        mic, reference = mic[:count], reference[:count]
        delays = _delays(mic, reference)
        late = int(np.median(delays)) if delays else 0
        spread, drift_ppm = _steadiness(delays)
        low_hz, high_hz = _band(mic)
        peak = np.max(np.abs(mic))
        blocks = mic[: count // 160 * 160].reshape(-1, 160)
        print(
            f"{mic_path.stem}: {count / MIC_RATE_HZ:.0f} s, {low_hz:.0f} to {high_hz:.0f} Hz,"
            f" delay {late} frames, {spread:.0f} frames around it, trend {drift_ppm:+.0f} ppm,"
            f" gain {_gain_spread_db(mic, reference, late):.1f} dB,"
            f" a linear filter removes {_linear_db(mic, reference, late):.1f} dB at most,"
            f" {100 * np.mean((blocks == blocks[:, :1]).all(1)):.1f} % digital silence,"
            f" peak {20 * np.log10(peak):.0f} dBFS,"
            f" {1e6 * np.mean(np.abs(mic) > _CLIPPED * peak):.0f} of a million frames at it"
        )


def _read(path: Path) -> Signal:
    import soundfile

    sound, rate_hz = soundfile.read(path)
    if rate_hz != MIC_RATE_HZ or sound.ndim != 1:
        sys.exit(f"{path} is not mono at 16 kHz")
    return np.asarray(sound)


def _reference_of(mic: Path) -> Path:
    return mic.with_name(mic.name.replace("_mic", "_lpb"))


def _delays(mic: Signal, reference: Signal) -> list[int]:
    """Return the delay of each second by the phase transform (Knapp and Carter 1976)."""
    found = []
    for start in range(0, len(mic) - _WINDOW, MIC_RATE_HZ):
        near, far = (s[start : start + _WINDOW] for s in (mic, reference))
        if np.mean(far**2) < 1e-7:
            continue
        cross = np.fft.rfft(near, 2 * _WINDOW) * np.conj(np.fft.rfft(far, 2 * _WINDOW))
        alike = np.fft.irfft(cross / (np.abs(cross) + 1e-9))[:_LATEST]
        if alike.max() > _CLEAR * np.sqrt(np.mean(alike**2)):
            found.append(int(np.argmax(alike)))
    return found


def _steadiness(delays: list[int]) -> tuple[float, float]:
    """Return the largest distance from a straight line, and its slope."""
    if len(delays) < 3:
        return 0.0, 0.0
    at_s = np.arange(len(delays))
    slope, start = np.polyfit(at_s, delays, 1)
    rest = np.abs(delays - start - slope * at_s)
    return float(rest.max()), float(slope / MIC_RATE_HZ * 1e6)


def _gain_spread_db(mic: Signal, reference: Signal, late: int) -> float:
    """Return the standard deviation of the echo's gain between seconds of audible playback."""
    near, far = mic[late:], reference[: len(mic) - late]
    gains = []
    for start in range(0, len(near) - MIC_RATE_HZ, MIC_RATE_HZ):
        part = slice(start, start + MIC_RATE_HZ)
        if np.mean(far[part] ** 2) > _AUDIBLE:
            gains.append(10 * np.log10(np.mean(near[part] ** 2) / np.mean(far[part] ** 2)))
    return float(np.std(gains)) if gains else 0.0


def _linear_db(mic: Signal, reference: Signal, late: int) -> float:
    """Return the bound by the coherence of the whole recording, mean over 200 to 5000 Hz."""
    near, far = mic[max(0, late - 64) :], reference
    count = min(len(near), len(far)) // _FFT * _FFT
    window = np.hanning(_FFT)
    a, b = (np.fft.rfft(s[:count].reshape(-1, _FFT) * window) for s in (near, far))
    cross = np.abs(np.sum(a * b.conj(), axis=0)) ** 2
    power = np.sum(np.abs(a) ** 2, axis=0) * np.sum(np.abs(b) ** 2, axis=0)
    band = slice(200 * _FFT // MIC_RATE_HZ, 5000 * _FFT // MIC_RATE_HZ)
    return float(-10 * np.log10(1 - np.mean((cross / (power + 1e-20))[band])))


def _band(mic: Signal) -> tuple[float, float]:
    """Return the frequencies within 30 dB of the strongest tenth of the spectrum."""
    blocks = mic[: len(mic) // _FFT * _FFT].reshape(-1, _FFT)
    power = np.mean(np.abs(np.fft.rfft(blocks * np.hanning(_FFT))) ** 2, axis=0)
    smooth_db = 10 * np.log10(np.convolve(power, np.full(25, 1 / 25), "same") + 1e-20)
    inside = np.flatnonzero(smooth_db > np.quantile(smooth_db, 0.9) - _EDGE_DB)
    low, high = inside[[0, -1]] * MIC_RATE_HZ / _FFT
    return float(low), float(high)


if __name__ == "__main__":
    main()
