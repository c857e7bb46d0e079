"""One alarm that rings in a simulated room: the real core and recogniser, closed loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from parleyd.config import AudioConfig, Config
from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDismissed,
    AlarmDue,
    LogEvent,
    MicPeriod,
    RecognizeAlarmCommand,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.air import Air
from tests.bench.hearing.material import Clip, Material
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.soundtrack import compose, convolved_tail, levelled, mix
from tests.bench.training.stop_make import alarm_clip

JUDGED_S = 0.3  # until the recogniser has answered, on a Pi
WITHIN_S = 3.0  # after the end of the word: the rest of its silence, and the recogniser
AGAIN_S = 3.5  # from the end of a word in vain to the same word again

Judge = Callable[[RecognizeAlarmCommand], bool]
"""Whether the utterance ends the alarm; as the product decides."""


@dataclass
class RingingCore:
    """The core, without a server, whose alarm rings from `begins_s` on; again, if it is ended."""

    judge: Judge
    begins_s: float = 0.0
    settings: Config = field(default_factory=lambda: Config(audio=AudioConfig(priority=0)))
    ended: list[tuple[float, str]] = field(default_factory=list)
    """When the alarm was ended, and by what."""
    log_events: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.speaker = SmartSpeaker(self.settings, None)
        self._answers: list[tuple[float, bool]] = []
        self._rings = 0

    @property
    def state(self) -> State:
        return self.speaker.state

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        if now >= self.begins_s and self._rings == len(self.ended):
            self._rings += 1
            self.speaker.handle(AlarmDue("eggs", self._rings), now)
        while self._answers and now >= self._answers[0][0]:
            self.speaker.handle(AlarmCommandRecognized(self._answers.pop(0)[1]), now)
        step = self.speaker.tick(mic, now)
        by = ""
        for effect in step.effects:
            match effect:
                case RecognizeAlarmCommand():
                    self._answers.append((now + JUDGED_S, self.judge(effect)))
                case LogEvent(name, fields):
                    self.log_events.append((now, name))
                    by = str(fields["by"]) if name == "alarm_dismissed" else by
        if any(isinstance(effect, AlarmDismissed) for effect in step.effects):
            self.ended.append((now, by))
        return step


@dataclass(frozen=True, slots=True)
class Word:
    """One word into the ringing."""

    clip: str
    at_s: float
    end_s: float
    ended: bool
    """Whether it ended the alarm."""
    again: bool
    """Whether it, or the same word once more, did."""
    paused: bool
    """Whether anything held the ringing."""


def say(scene: Scene, material: Material, clip: Clip, at_s: float, judge: Judge) -> Word:
    """Let a user say the clip `at_s` seconds into the ringing, and again if it was in vain."""
    length_s = len(clip.frames) / MIC_RATE_HZ
    again_s = at_s + length_s + AGAIN_S
    air, user = _air(scene, material, again_s + length_s + WITHIN_S)
    dry = convolved_tail(clip.frames, user)
    mix(air.around, levelled(dry, scene.user_dbfs), at_s)
    core = RingingCore(judge)
    card = _card(core, air, scene)
    end_s = at_s + length_s
    _run(card, end_s + WITHIN_S)
    ended = any(when > at_s for when, _ in core.ended)
    paused = ended or any(when > at_s and name == "hold" for when, name in core.log_events)
    again = ended
    if not ended:
        mix(air.around, levelled(dry, scene.user_dbfs), again_s)
        _run(card, again_s + length_s + WITHIN_S)
        again = bool(core.ended)
    return Word(clip.name, at_s, end_s, ended, again, paused)


def alone(
    scene: Scene, material: Material, judge: Judge, sounds: Sequence[tuple[float, Frames]] = ()
) -> tuple[list[tuple[float, str]], int]:
    """Let the alarm ring beside others; return when it was ended by what, and how often held."""
    air, user = _air(scene, material, scene.length_s)
    for at_s, frames in sounds:
        mix(air.around, levelled(convolved_tail(frames, user), scene.user_dbfs), at_s)
    core = RingingCore(judge)
    _run(_card(core, air, scene), scene.length_s)
    return core.ended, sum(name == "hold" for _, name in core.log_events)


def _air(scene: Scene, material: Material, length_s: float) -> tuple[Air, np.ndarray]:
    """Return the room with the alarm's level in it, and a user's path."""
    scene = replace(
        scene, task="echo", music=True, music_under_db=None, warm=False, words=False,
        idle_s=0.0, asks=False, length_s=length_s,
    )  # fmt: skip
    track = compose(scene, replace(material, music=[alarm_clip()]))
    room = next(room for room in material.rooms if room.name == track.room)
    return track.air, room.users[scene.seed[-1] % len(room.users)]


def _card(core: RingingCore, air: Air, scene: Scene) -> SimulatedCard:
    return SimulatedCard(core, air, Talker(), drift_ppm=scene.drift_ppm)  # type: ignore[arg-type]


def _run(card: SimulatedCard, until_s: float) -> None:
    while card.now < until_s:
        card.step()
