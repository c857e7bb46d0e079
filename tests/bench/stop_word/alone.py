"""Hours of answers, music and alarms without a user."""

from dataclasses import dataclass

import numpy as np

from parleyd.config import Config
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.recurrent import RecurrentNetwork
from parleyd.hearing.stop_word import MODEL, STEP, StopWord
from parleyd.units import MIC_PERIOD_FRAMES, Floats, Frames
from tests.bench.hearing.material import Material
from tests.bench.hearing.scenes import Scene
from tests.bench.training import examples


@dataclass(frozen=True, slots=True)
class Alone:
    """One session without a user."""

    hours: float
    false: list[float]
    """The times in seconds at which the detector heard the word."""


def play(scene: Scene, material: Material) -> Alone:
    """Let hearing and the stop word hear the scene, as the core does."""
    _, reference, mic, _ = examples.rendered(scene, material)
    hearing, stop, found = EchoControl(Config().hearing, examples.EARLY_MS), StopWord(), []
    for number, (heard, played) in enumerate(zip(_periods(mic), _periods(reference), strict=True)):
        now = number / 100
        period = hearing.process(heard, played, now)
        if stop.process(period, now, audible=True) and stop.is_users(hearing.own_voice()):
            found.append(now)
    return Alone(len(mic) / 16_000 / 3600, found)


def odds_of(features: Floats) -> Floats:
    """Return the network's log-odds for the features of each period, one for each step."""
    network = RecurrentNetwork(MODEL)
    steps = features[: len(features) // STEP * STEP].reshape(-1, STEP * features.shape[1])
    return np.array([network.process(step.astype(np.float32))[0] for step in steps], np.float32)


def _periods(frames: Frames) -> Frames:
    return frames.reshape(-1, MIC_PERIOD_FRAMES)
