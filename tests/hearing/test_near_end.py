"""Pitch and classifier, with a voice, with noise and with silence."""

from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.hearing.echo_canceller import BINS, CancelledBlock
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.near_end import NearEndDetector
from parleyd.hearing.pitch import Pitch
from parleyd.units import Floats
from tests.hearing.echo_rooms import noise, pcm, room

Say = Callable[[str, str], Floats]
QUESTION = "Stop please, and tell me what the weather will be like tomorrow."
STORY = "Once upon a time there was a small house at the edge of a very large forest. " * 2


def cues_of(error: Floats, echo: Floats) -> Floats:
    """Return the last cues of `Pitch`."""
    pitch, none = Pitch(), np.zeros(BINS, np.float32)
    for start in range(0, len(error), 160):
        part = slice(start, start + 160)
        cues = pitch.cues(CancelledBlock(error[part], echo[part], none))
    return cues


@pytest.mark.parametrize("hz", [90, 140, 250, 400])
def test_pitch_of_a_hum_is_periodic_and_of_noise_is_not(hz: int) -> None:
    time_s = np.arange(1600) / 16_000
    hum = sum(np.sin(2 * np.pi * k * hz * time_s) / k for k in range(1, 9)).astype(np.float32)  # type: ignore[union-attr]
    hiss = noise(1600, 1.0)
    of_hum, of_hiss = cues_of(hum, hiss), cues_of(hiss, hum)
    assert of_hum[0] > 0.9
    assert of_hum[4] > 0.9
    assert of_hiss[0] < 0.7
    assert of_hiss[1] > 0.9
    assert np.isfinite(cues_of(np.zeros(1600, np.float32), np.zeros(1600, np.float32))).all()


@pytest.mark.slow
def test_near_end_distinguishes_the_user_from_the_reply(say: Say) -> None:
    user = say("rms", QUESTION) * np.float32(0.3)
    scene = room(say("slt", STORY), user=user, user_at_s=5.0, gain=0.4)
    hearing = EchoControl(config.HearingConfig(), lead_ms=40)
    near_end = [hearing.process(*scene.period(i), i / 100).near_end for i in range(scene.periods)]
    assert np.mean(np.array(near_end[250:490]) > 0.8) < 0.02
    assert np.mean(np.array(near_end[520 : 500 + len(user) // 160 - 20]) > 0.8) > 0.6


def test_near_end_of_a_rattle_is_not_speech() -> None:
    hearing = EchoControl(config.HearingConfig())
    rattle = noise(5 * 16_000, 0.003)
    for start in range(32_000, 72_000, 4000):
        blow = np.exp(-np.arange(800) / 150).astype(np.float32)
        rattle[start : start + 800] += noise(800, 0.1, seed=start) * blow
    quiet = np.zeros(160, np.int16)
    speech = [
        hearing.process(pcm(rattle[i : i + 160]), quiet, 0.0).speech
        for i in range(0, len(rattle), 160)
    ]
    assert np.mean(np.array(speech[150:]) > 0.7) < 0.05


def test_near_end_detector_is_deterministic() -> None:
    cues = np.random.default_rng(1).normal(0, 10, (50, 150)).astype(np.float32)
    first, second = NearEndDetector(), NearEndDetector()
    assert [first.process(c) for c in cues] == [second.process(c) for c in cues]
    assert all(0 <= p <= 1 for c in cues for p in first.process(c))
