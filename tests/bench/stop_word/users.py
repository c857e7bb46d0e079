"""Users that say "stop", or the wake word, to an answer or an alarm: the real core, closed loop."""

from dataclasses import dataclass, field

from parleyd.config import Config
from parleyd.core.events import AlarmDue, LogEvent, MicPeriod, TickResult
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.talker import Talker
from parleyd.wake import WakeEngine
from parleyd.wake.micro import Micro
from tests.bench.hearing.house import House, LoggedEvent
from tests.bench.hearing.material import Material
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.soundtrack import compose

WITHIN_S = 0.8  # after the end of the word
_TALKS = (State.SPEAKING, State.BARGE_IN)


@dataclass(frozen=True, slots=True)
class Trial:
    """One user's word."""

    clip: str
    stopped_after_ms: float | None
    """From the end of the word to the detection; None: not detected."""
    silent: bool
    """Whether anything ended the answer or held the alarm."""


@dataclass
class Ringing:
    """The real core, idle and offline, with an alarm that rings again when it was stopped."""

    settings: Config
    engine: WakeEngine | None = None
    log_events: list[LoggedEvent] = field(default_factory=list)
    rings: bool = False

    def __post_init__(self) -> None:
        self.speaker = SmartSpeaker(self.settings, self.engine)

    @property
    def state(self) -> State:
        return State.SPEAKING if self.rings else self.speaker.state

    def converse(self, user_talks: bool, now: float) -> None:
        """Let the alarm ring."""
        if not self.rings and not user_talks:
            self.speaker.handle(AlarmDue("eggs", len(self.log_events)), now)
            self.rings = True

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        step = self.speaker.tick(mic, now)
        for effect in step.effects:
            if isinstance(effect, LogEvent):
                self.log_events.append(LoggedEvent(now, effect.name, dict(effect.fields)))
                self.rings &= effect.name != "alarm_dismissed"
        return step


def play(
    scene: Scene, material: Material, settings: Config, *, alarm: bool, wakes: bool = False
) -> list[Trial]:
    """Play the scene, in which all users say "stop", or (`wakes`) the wake word."""
    track = compose(scene, material)
    engine = Micro(settings.wake.keywords) if wakes else None
    core = Ringing(settings, engine) if alarm else House(settings, track.reply, engine=engine)
    card = SimulatedCard(
        core, track.air, Talker(),  # type: ignore[arg-type]
        drift_ppm=scene.drift_ppm or track.air.clock_ppm, faults=track.faults,
    )  # fmt: skip
    lines, trials, able = list(track.said), [], False
    while card.now < track.length_s + WITHIN_S and lines:
        now, line = card.now, lines[0]
        if line.onset_s <= now < line.onset_s + 0.01:
            able = core.state in _TALKS
        core.converse(line.onset_s <= now < line.end_s + WITHIN_S, now)
        card.step()
        if now > line.end_s + WITHIN_S:
            lines.pop(0)
            if able:
                since = [e for e in core.log_events if e.at_s > line.onset_s]
                trials.append(_judged(line.clip, line.end_s, since, wakes=wakes))
    return trials


def _judged(clip: str, end_s: float, since: list[LoggedEvent], *, wakes: bool) -> Trial:
    name, by = ("wake", "wake word") if wakes else ("stop_word", "stop word")
    stops = [e.at_s for e in since if e.name == name or e.fields.get("by") == by]
    silent = bool(stops) or any(e.name in ("interrupted", "interrupt") for e in since)
    return Trial(clip, round((stops[0] - end_s) * 1000) if stops else None, silent)
