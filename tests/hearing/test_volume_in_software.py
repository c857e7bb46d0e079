"""The reason for a volume in software, before the reference, and a card mixer that is set once.

A volume step in the reference does not change the echo path. The same step in the card, after
the reference, changes the echo path, and the filter must learn it again.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from parleyd.hearing.echo_canceller import EchoCanceller
from parleyd.units import MIC_RATE_HZ, Floats
from tests.hearing.echo_rooms import Room, noise, room

STEP_S = 2.5
USER_RMS = 0.008  # a user across the room, -42 dBFS


def answer(seconds: float = 3.1) -> Floats:
    """Return noise with syllables at 4 Hz."""
    frames = int(seconds * MIC_RATE_HZ)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(frames) / MIC_RATE_HZ)
    return (noise(frames, 0.02, 3) * syllables).astype(np.float32)


def stepped(signal: Floats, step_db: float) -> Floats:
    gains = np.ones(len(signal), np.float32)
    gains[int(STEP_S * MIC_RATE_HZ) :] = 10 ** (step_db / 20)
    return signal * gains


def in_software(step_db: float) -> Room:
    return room(stepped(answer(), step_db))


def in_the_mixer(step_db: float) -> Room:
    """Return the same room with a reference that does not contain the step."""
    louder, as_before = in_software(step_db), room(answer())
    return Room(louder.mic, as_before.reference, louder.echo, louder.rest)


@cache
def left_rms(where: Callable[[float], Room], step_db: float, after_s: float = 0.0) -> float:
    """Return the residual echo in the half second that starts `after_s` after the step."""
    scene, canceller = where(step_db), EchoCanceller()
    error = np.concatenate(
        [canceller.process(*scene.period(index)).error for index in range(scene.periods)]
    )
    begin = int((STEP_S + after_s) * MIC_RATE_HZ)
    part = slice(begin, begin + MIC_RATE_HZ // 2)
    return float(np.sqrt(np.mean((error[part] - scene.rest[part]) ** 2)))


@pytest.mark.parametrize("step_db", [-12.0, 12.0])
def test_volume_step_in_software_keeps_the_echo_cancelled(step_db: float) -> None:
    before = left_rms(in_software, 0.0)
    after = left_rms(in_software, step_db)
    assert after < USER_RMS / 3
    assert after <= before * max(1.0, 10 ** (step_db / 20)) * 1.5


@pytest.mark.parametrize("step_db", [-12.0, 12.0])
def test_volume_step_in_the_mixer_leaves_an_echo(step_db: float) -> None:
    assert left_rms(in_the_mixer, step_db) > 4 * left_rms(in_software, step_db)
    if step_db > 0:
        assert left_rms(in_the_mixer, step_db) > USER_RMS
