"""The figures of hearing on a fixed tape, to show that a faster form computes the same.

    python -m tests.hearing.pinned

writes them to pinned.npz, from the code that is checked out. Write them again only if a change
means to give other figures, and say in the commit how they differ. The tape has no speech, so the
figures depend on no synthesiser: an echo, noise, and a second voice that begins in the middle.
The near-end detector's figures are not among them, because training changes them: see
test_near_end.py.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parleyd import config
from parleyd.hearing.echo_control import EchoControl
from parleyd.units import MIC_RATE_HZ, Floats
from tests.hearing.echo_rooms import echo_path, pcm

FILE = Path(__file__).with_name("pinned.npz")
SECONDS = 6
USER_S = 4.0  # the second voice begins
LEAD_PERIODS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """One number for each period."""

    cleaned: Floats
    """RMS of the cleaned frames, in steps of int16."""
    excess_db: Floats
    voice: Floats


def figures() -> Figures:
    """Run the hearing over the tape."""
    played = _syllables(120.0, 1) * np.float32(0.25)
    path = echo_path(delay_ms=20.0) * np.float32(0.3)
    late = np.concatenate([np.zeros(LEAD_PERIODS * 160, np.float32), played])[: len(played)]
    mic = np.convolve(late, path)[: len(played)].astype(np.float32)
    mic += np.random.default_rng(3).standard_normal(len(mic)).astype(np.float32) * np.float32(1e-3)
    user = _syllables(190.0, 2) * np.float32(0.05)
    begin = int(USER_S * MIC_RATE_HZ)
    mic[begin:] += user[begin:]
    hearing = EchoControl(config.HearingConfig(), lead_ms=LEAD_PERIODS * 10)
    rows = []
    for index in range(len(mic) // 160):
        part = slice(index * 160, (index + 1) * 160)
        heard = hearing.process(pcm(mic[part]), pcm(played[part]), (index + 1) / 100)
        rms = float(np.sqrt(np.mean(heard.cleaned.astype(float) ** 2)))
        rows.append((rms, heard.excess_db, heard.voice))
    return Figures(*np.array(rows, np.float32).T)


def _syllables(pitch_hz: float, seed: int) -> Floats:
    """Return harmonics of a wandering pitch in syllables of 0.2 s, peak about 1."""
    random = np.random.default_rng(seed)
    time_s = np.arange(SECONDS * MIC_RATE_HZ) / MIC_RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.1 * np.sin(3 * time_s))) / MIC_RATE_HZ
    syllables = random.uniform(0.0, 1.0, (SECONDS * 5 + 1, 12))
    weights = np.array([np.interp(time_s * 5, np.arange(len(syllables)), w) for w in syllables.T])
    sound = sum(w * np.sin(n * phase) / n for n, w in enumerate(weights, start=1))
    sound *= np.sin(np.pi * 5 * time_s) ** 2
    return np.asarray(sound / 2, np.float32)


if __name__ == "__main__":
    found = figures()
    np.savez_compressed(FILE, **{name: getattr(found, name) for name in Figures.__slots__})
    sys.exit(0)
