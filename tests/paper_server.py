"""A simulated realtime server without socket or clock; answers in the tick after the question.

It drives the real core through the simulated card, so a whole conversation is a deterministic
test of milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec
import numpy as np

from parleyd.config import AudioConfig, Config, HearingConfig, PlayoutConfig, TurnConfig
from parleyd.core.events import (
    CallSkill,
    ConnectionUp,
    Effect,
    InputEvent,
    LogEvent,
    MicPeriod,
    Send,
    Show,
    SpeechSynthesized,
    SynthesizeSpeech,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import InjectedFault, SimulatedCard
from parleyd.simulation.recording import Recording
from parleyd.simulation.talker import Talker
from parleyd.units import SERVER_RATE_HZ, Floats, Frames
from parleyd.wake import WakeEngine
from tests.silent_cues import silent

RATE_HZ: Final = 48_000

Sent = TypeVar("Sent", bound=ev.ClientEvent)


def tone(length_ms: int, hz: float = 440.0) -> Frames:
    """Return the voice of a reply: int16 at 24 kHz."""
    time_s = np.arange(length_ms * SERVER_RATE_HZ // 1000) / SERVER_RATE_HZ
    return np.rint(9000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


class WakeOnDemand:
    """A wake-word engine that fires on demand; the real engines have separate tests."""

    name = "on demand"
    keywords: tuple[str, ...] = ("hey_test", "stop")
    score = None
    bands: Floats | None = None

    def __init__(self) -> None:
        self.next: str | None = None

    def process(self, frames: Frames, *, speaking: bool = False) -> str | None:
        keyword, self.next = self.next, None
        return keyword

    def close(self) -> None:
        pass


@dataclass
class Paper:
    """Core, card, room and server; `reply` is the answer to every turn."""

    settings: Config
    wake: WakeEngine | None = None
    connected: bool = True
    reply: Frames = field(default_factory=lambda: tone(3000))
    answers: bool = True
    voice: Frames | None = field(default_factory=lambda: tone(1500, 880.0))
    """Speech of the offline voice for any words; None: the voice is missing."""
    steps: list[tuple[bool, bytes]] = field(default_factory=list)
    effects: list[tuple[float, Effect]] = field(default_factory=list)
    sent: list[ev.ClientEvent] = field(default_factory=list)
    responses: int = 0
    echo_gain_db: float = -40.0
    faults: Sequence[InjectedFault] = ()

    def __post_init__(self) -> None:
        self.speaker = SmartSpeaker(self.settings, self.wake)
        self.talker = Talker()
        rate_hz = self.settings.audio.playback_rate_hz
        self.recording = Recording(rate_hz)
        room = Room(
            seed=1,
            echo_gain_db=self.echo_gain_db,
            noise_dbfs=-80,
            loudspeaker_rate_hz=rate_hz,
        )
        self.card = SimulatedCard(
            self, room, self.talker, recording=self.recording, faults=self.faults
        )
        if self.connected:
            self.say(ConnectionUp())
            self.say(ev.SessionCreated())
            self.run(0.05)
            self.say(ev.SessionUpdated())
            self.run(0.02)

    # the card drives this object, which observes all effects of the core
    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        step = self.speaker.tick(mic, now)
        self.steps.append((step.drop, step.playback.tobytes()))
        for effect in step.effects:
            self.effects.append((now, effect))
            if isinstance(effect, Send):
                self.sent.append(effect.event)
                self._answer(effect.event, now)
            if isinstance(effect, SynthesizeSpeech):
                self.say(SpeechSynthesized(effect.number, self.voice))
        return step

    def say(self, event: InputEvent) -> None:
        """Send the core an event."""
        self.speaker.handle(event, self.card.now)

    def run(self, seconds: float) -> None:
        """Advance simulated time."""
        self.card.run_until(self.card.now + seconds)

    def until(self, state: State, within_s: float = 30.0) -> None:
        """Advance time until the core is in `state`.

        A wait for LISTENING also ends in IDLE if the follow-ups are over.
        """
        self.wait(lambda: self.speaker.state is state or self._ended_before(state), within_s)

    def wait(self, until: Callable[[], bool], within_s: float = 30.0) -> None:
        """Advance time until the condition holds."""
        end = self.card.now + within_s
        while not until():
            assert self.card.now < end, f"not reached; the core is {self.speaker.state}"
            self.card.step()

    def _ended_before(self, state: State) -> bool:
        if state is not State.LISTENING or self.speaker.state is not State.IDLE:
            return False
        changes = self.log_events("state")
        return bool(changes) and changes[-1].fields["event"] == "follow_ups_over"

    def events(self, kind: type[Sent]) -> list[Sent]:
        return [event for event in self.sent if isinstance(event, kind)]

    def log_events(self, name: str) -> list[LogEvent]:
        return [e for _, e in self.effects if isinstance(e, LogEvent) and e.name == name]

    @property
    def shown(self) -> list[Indication]:
        return [effect.indication for _, effect in self.effects if isinstance(effect, Show)]

    @property
    def skills(self) -> list[CallSkill]:
        return [effect for _, effect in self.effects if isinstance(effect, CallSkill)]

    def _answer(self, event: ev.ClientEvent, now: float) -> None:
        if not self.answers:
            return
        if isinstance(event, ev.CreateResponse):
            self.responses += 1
            name = f"r{self.responses}"
            assert isinstance(event.response, dict)
            metadata = event.response["metadata"]
            self.say(ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata)))
            data = self.reply.astype("<i2").tobytes()
            for start in range(0, len(data), 9600):
                piece = data[start : start + 9600]
                self.say(ev.AudioDelta(response_id=name, item_id=f"i{name}", delta=piece))
            self.say(ev.AudioDone(response_id=name, item_id=f"i{name}"))
            self.say(ev.ResponseDone(response=ev.Response(id=name, status="completed")))


def settings(
    *,
    follow_up_s: float = 0.0,
    capacity_s: int = 60,
    rate_hz: int = RATE_HZ,
    volume: int = 100,
    **hearing: object,
) -> Config:
    """Return settings with local turns, short silences and no chime."""
    base = Config(
        audio=AudioConfig(playback_rate_hz=rate_hz, volume=volume),  # type: ignore[arg-type]
        playout=PlayoutConfig(capacity_s=capacity_s),
        turn=TurnConfig(detection="local", follow_up_s=follow_up_s, silence_ms=400),
        hearing=HearingConfig(**hearing),  # type: ignore[arg-type]
    )
    return msgspec.structs.replace(base, earcons=silent(base.earcons))
