"""Shared by the tests of the simulation: a tiny core, noise, and the check for flite."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from parleyd.core.events import Effect, LogEvent, MicPeriod, TickResult
from parleyd.units import Frames


@dataclass
class Player:
    """Maintains `lead_frames` of `sound` in the queue; drops the queue if `drop_when` says so."""

    sound: Frames
    lead_frames: int = 1920
    drop_when: Callable[[float], bool] = lambda now: False
    given: int = 0
    periods: list[MicPeriod] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        self.periods.append(mic)
        self.times.append(now)
        drop = self.drop_when(now)
        queued = 0 if drop else mic.queued_frames
        playback = self.sound[self.given : self.given + max(0, self.lead_frames - queued)]
        self.given += len(playback)
        effects: list[Effect] = [LogEvent("dropped", {"queued": mic.queued_frames})] if drop else []
        return TickResult(drop, playback, effects)


def noise_frames(frames: int, *, seed: int = 0, rms: float = 3000.0) -> Frames:
    """Return white noise, int16."""
    random = np.random.default_rng(seed)
    return np.clip(random.normal(0.0, rms, frames), -32768, 32767).astype(np.int16)


def need_flite() -> None:
    if shutil.which("flite") is None:
        pytest.skip("flite is missing, so these tests have no speech: apt install flite")
