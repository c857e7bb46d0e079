"""Hours of answers, music and alarms without a user."""

from dataclasses import dataclass

import numpy as np

from parleyd.audio import float_to_int16, level_dbfs
from parleyd.config import Config
from parleyd.hearing.echo_control import EchoControl
from parleyd.hearing.recurrent import RecurrentNetwork
from parleyd.hearing.stop_word import MODEL, STEP, StopWord, StopWordNetwork
from parleyd.units import MIC_PERIOD_FRAMES, Floats, Frames
from tests.bench.hearing.material import Material
from tests.bench.hearing.scenes import Scene
from tests.bench.training import examples, stop_examples


@dataclass(frozen=True, slots=True)
class Alone:
    """One session without a user."""

    scene: Scene
    hours: float
    odds: Floats
    """The network's log-odds, one for each step."""
    false: list[float]
    """The times in seconds at which the detector heard the word."""


def play(scene: Scene, material: Material, least: float) -> Alone:
    """Let the canceller and the network hear the scene.

    If the log-odds exceed `least`, play it again to all parts of hearing, as the core does.
    """
    _, reference, mic, _ = examples.rendered(scene, material)
    cleaned, levels = stop_examples.cancelled(mic, reference)
    network, found = StopWordNetwork(), []
    for period, echo_dbfs in zip(_periods(float_to_int16(cleaned)), levels, strict=True):
        odds = network.process(period, level_dbfs(period), float(echo_dbfs))
        if odds is not None:
            found.append(odds)
    false = whole(mic, reference) if max(found) > least else []
    return Alone(scene, len(mic) / 16_000 / 3600, np.array(found, np.float32), false)


def whole(mic: Frames, reference: Frames) -> list[float]:
    """Return when the word is heard by all parts of hearing together, in seconds."""
    hearing, stop, found = EchoControl(Config().hearing, examples.EARLY_MS), StopWord(), []
    for number, (heard, played) in enumerate(zip(_periods(mic), _periods(reference), strict=True)):
        now = number / 100
        period = hearing.process(heard, played, now)
        if stop.process(period, now, audible=True) and stop.is_users(hearing.own_voice()):
            found.append(now)
    return found


def odds_of(features: Floats) -> Floats:
    """Return the network's log-odds for the features of each period, one for each step."""
    network = RecurrentNetwork(MODEL)
    steps = features[: len(features) // STEP * STEP].reshape(-1, STEP * features.shape[1])
    return np.array([network.process(step.astype(np.float32))[0] for step in steps], np.float32)


def _periods(frames: Frames) -> Frames:
    return frames.reshape(-1, MIC_PERIOD_FRAMES)
