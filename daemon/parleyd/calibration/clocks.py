"""How far the clocks of playback and capture are apart, from echoes of the same sound. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from parleyd.calibration.sweep import Echo
from parleyd.units import MIC_RATE_HZ

_BEFORE, _LONG = 40, 400  # frames around the direct sound that are compared: 25 ms
_FINE = 16  # steps in a frame
_MOST = 20  # frames: 1 ms between two sweeps of 3 s would be 400 ppm
_LEAST_S = 2.0
_SCATTER_S = 0.00025  # around the slope; a larger value is a delay that jumps


class Arrival(NamedTuple):
    """The echo of one sweep."""

    played_s: float
    """The time of the playback clock at which the sweep began."""
    captured: int
    """The frame of the capture, 16 kHz, at which the response begins."""
    stretch: int
    """Grows at each dropout: arrivals of different stretches cannot be compared."""
    echo: Echo


def drift_ppm(arrivals: Sequence[Arrival]) -> float | None:
    """Return the speed of the playback clock relative to the capture clock.

    None if fewer than two sweeps were heard without a dropout between them, or the delay jumps.
    """
    played, heard = [], []
    for stretch in sorted({arrival.stretch for arrival in arrivals}):
        own = [a for a in arrivals if a.stretch == stretch and a.echo.direct is not None]
        if len(own) < 2:
            continue
        first = own[0]
        played_s = np.array([a.played_s for a in own])
        heard_s = np.array([a.captured + _shift(first.echo, a.echo) for a in own]) / MIC_RATE_HZ
        played.append(played_s - played_s.mean())
        heard.append(heard_s - heard_s.mean())
    if not played:
        return None
    x, y = np.concatenate(played), np.concatenate(heard)
    if float(np.ptp(x)) < _LEAST_S:
        return None
    slope = float(x @ y / (x @ x))
    if float(np.abs(y - slope * x).max()) > _SCATTER_S:
        return None
    return (1 / slope - 1) * 1e6


def _shift(first: Echo, other: Echo) -> float:
    """How many frames later the echo is in the other response: by their correlation."""
    assert first.direct is not None
    assert other.direct is not None
    size = 1024
    a, b = (
        np.fft.rfft(np.roll(echo.response, _BEFORE - first.direct)[:_LONG], size)
        for echo in (first, other)
    )
    fine = np.zeros(size * _FINE // 2 + 1, complex)
    fine[: len(a)] = b * a.conj()
    correlation = np.fft.irfft(fine)
    near = _MOST * _FINE
    around = np.concatenate((correlation[-near:], correlation[: near + 1]))
    return (int(around.argmax()) - near) / _FINE
