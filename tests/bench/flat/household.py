"""The speakers of a flat: the real core and the real wake engine of each, on one broker."""

from collections import deque
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from parleyd.audio import level_dbfs, power_to_db
from parleyd.config import AudioConfig, Config, TurnConfig, WakeConfig
from parleyd.core.events import (
    ConnectionUp,
    GroupReached,
    MicPeriod,
    StopRequested,
    WakeClaimed,
    WakeLevelsLearned,
)
from parleyd.core.group import GroupMemory
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.core.usual_level import UsualLevel
from parleyd.realtime import events as ev
from parleyd.units import MIC_PERIOD_FRAMES, PERIOD_MS, SILENCE, Frames
from parleyd.wake.micro import Micro
from tests.bench.flat.air_broker import AirBroker, Way
from tests.bench.flat.words import KEYWORDS

PERIOD_S = PERIOD_MS / 1000
RATE_HZ: Final = 24_000
RESTS_PERIODS = 60  # the longest earcon takes less
PAUSE_S = 200.0  # between calls: four in a minute would count as ignored
_AUDIBLE = 16  # of int16
_QUIET = np.zeros(MIC_PERIOD_FRAMES, np.int16)


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word as one speaker heard it."""

    speaker: int
    at_s: float
    """Since the beginning of the call."""
    level_dbfs: float
    usual_dbfs: float
    """The usual level there, as learned from the calls before."""
    broad_dbfs: float
    """The level of the newest 1.2 s in all frequencies."""
    noise_dbfs: float
    """The level of the room before that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    detections: tuple[Detection, ...]
    answers: tuple[int, ...]
    """The speakers that answer."""
    chimes: tuple[int, ...]
    """The speakers that were heard."""
    added_ms: tuple[int, ...]
    """For each answer: from the detection to the chime."""


class Dweller:
    """One speaker with its loudspeaker's queue."""

    def __init__(self, number: int) -> None:
        base = Config(
            audio=AudioConfig(playback_rate_hz=RATE_HZ),
            turn=TurnConfig(detection="local"),
            wake=WakeConfig(keywords=KEYWORDS),
        )
        settings = msgspec.structs.replace(
            base,
            realtime=msgspec.structs.replace(
                base.realtime, server="compatible", url="ws://127.0.0.1:1/", model="m"
            ),
        )
        self._engine = Micro(KEYWORDS)
        self.speaker = SmartSpeaker(settings, self._engine, group=GroupMemory(f"{number:08x}"))
        self._number, self._queue = number, SILENCE
        self._levels: tuple[float, ...] = ()
        self._newest: deque[float] = deque(maxlen=200)
        self.detection: Detection | None = None
        self.chimed_at: float | None = None
        for event in (ConnectionUp(), ev.SessionCreated(), GroupReached(True)):
            self.speaker.handle(event, 0.0)
        self.speaker.tick(MicPeriod(None, 0), 0.0)
        self.speaker.handle(ev.SessionUpdated(), 0.0)

    def begin(self) -> None:
        """A new call."""
        self.detection = self.chimed_at = None

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()

    def tick(self, period: Frames, now: float, since: float) -> list[WakeClaimed]:
        """Take 10 ms of sound; returns the claims to publish."""
        self._newest.append(level_dbfs(period))
        self._queue = self._queue[RATE_HZ * PERIOD_MS // 1000 :]
        step = self.speaker.tick(MicPeriod(period, len(self._queue)), now)
        self._queue = np.concatenate([SILENCE if step.drop else self._queue, step.playback])
        claims = []
        for effect in step.effects:
            if isinstance(effect, WakeClaimed):
                claims.append(effect)
            elif isinstance(effect, WakeLevelsLearned):
                self.detection = self._detected(effect.levels[-1], round(now - since, 3))
                self._levels = effect.levels
        if self.detection and self.chimed_at is None and np.any(np.abs(step.playback) > _AUDIBLE):
            self.chimed_at = now - since
        return claims

    def _detected(self, level_dbfs: float, at_s: float) -> Detection:
        powers = [10 ** (dbfs / 10) for dbfs in self._newest]
        return Detection(
            self._number,
            at_s,
            level_dbfs,
            UsualLevel(self._levels).dbfs,
            power_to_db(float(np.mean(powers[-120:]))),
            power_to_db(float(np.quantile(powers, 0.2))),
        )


class Household:
    """All speakers of a flat, for one call after the other."""

    def __init__(self, rooms: int, way: Way) -> None:
        self._dwellers = [Dweller(number) for number in range(rooms)]
        self._way, self._now = way, 0.0

    def close(self) -> None:
        """Free all engines."""
        for dweller in self._dwellers:
            dweller.close()

    def call(self, sounds: list[Frames], seed: int) -> Outcome:
        """Let a talker call; `sounds`: at each microphone."""
        broker = AirBroker(len(self._dwellers), self._way, seed)
        since = self._now
        for dweller in self._dwellers:
            dweller.begin()
        for start in range(0, len(sounds[0]), MIC_PERIOD_FRAMES):
            self._now = round(self._now + PERIOD_S, 4)
            for number, dweller in enumerate(self._dwellers):
                for heard in broker.due(number, self._now):
                    dweller.speaker.handle(heard, self._now)
                period = sounds[number][start : start + MIC_PERIOD_FRAMES]
                for claimed in dweller.tick(period, self._now, since):
                    broker.publish(number, claimed, self._now)
        outcome = self._outcome()
        for dweller in self._dwellers:
            dweller.speaker.handle(StopRequested(0), self._now)
        self._rest()
        return outcome

    def _rest(self) -> None:
        """Minutes pass until the next call: the turns are over, and so is their low tone."""
        for _ in range(RESTS_PERIODS):
            self._now = round(self._now + PERIOD_S, 4)
            for dweller in self._dwellers:
                dweller.tick(_QUIET, self._now, self._now)
        self._now += PAUSE_S

    def _outcome(self) -> Outcome:
        heard = [d for d in self._dwellers if d.detection is not None]
        answers = [d for d in heard if d.speaker.state is not State.IDLE]
        return Outcome(
            tuple(d.detection for d in heard if d.detection is not None),
            tuple(d.detection.speaker for d in answers if d.detection is not None),
            tuple(d.detection.speaker for d in heard if d.detection and d.chimed_at is not None),
            tuple(
                round((d.chimed_at - d.detection.at_s) * 1000)
                for d in answers
                if d.detection is not None and d.chimed_at is not None
            ),
        )
