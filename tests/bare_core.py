"""The core without a room: the test sets the talker's activity, so that minutes take a second.

For tests of turns, waits and servers. Tests of hearing use `paper_server`, which has a room.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar
from unittest.mock import patch

import msgspec
import numpy as np

from parleyd.config import AudioConfig, Config, PlayoutConfig, TurnConfig
from parleyd.core.events import (
    ButtonPressed,
    ConnectionUp,
    Effect,
    InputEvent,
    LogEvent,
    MicPeriod,
    Send,
    Show,
)
from parleyd.core.group import GroupMemory
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication, State
from parleyd.realtime import events as ev
from parleyd.units import PERIOD_MS, SERVER_RATE_HZ, SILENCE, Frames
from parleyd.wake import WakeEngine
from tests.client_events import settings_of
from tests.silent_cues import silent
from tests.soak.hearsay import Hearsay, Unreferenced

PERIOD_S = PERIOD_MS / 1000
CARD_FRAMES = SERVER_RATE_HZ * PERIOD_MS // 1000
INAUDIBLE = 16  # of int16
_AIR = np.zeros(160, np.int16)

Sent = TypeVar("Sent", bound=ev.ClientEvent)


def tone(length_ms: int) -> bytes:
    """Return the voice of a reply: int16 little-endian at 24 kHz."""
    time_s = np.arange(length_ms * SERVER_RATE_HZ // 1000) / SERVER_RATE_HZ
    return np.rint(9000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2").tobytes()


def at(server: str, **turn: object) -> Config:
    """Return settings with local turns and short silences, for one kind of server."""
    base = Config(
        audio=AudioConfig(playback_rate_hz=24000, volume=100),
        playout=PlayoutConfig(capacity_s=60),
        turn=TurnConfig(detection="local", follow_up_s=0.0, silence_ms=400),
    )
    realtime = msgspec.structs.replace(
        base.realtime, server=server, url="ws://127.0.0.1:1/v1/realtime", model="m"
    )
    return msgspec.structs.replace(
        base,
        realtime=realtime,
        turn=msgspec.structs.replace(base.turn, **turn),
        earcons=silent(base.earcons),
    )


@dataclass
class BareCore:
    """One speaker and a card that plays its output; the test is the server."""

    settings: Config
    connected: bool = True
    wake: WakeEngine | None = None
    group: GroupMemory | None = None
    now: float = 0.0
    effects: list[Effect] = field(default_factory=list)
    sent: list[ev.ClientEvent] = field(default_factory=list)
    played: list[Frames] = field(default_factory=list)
    """The loudspeaker's signal, one piece for each period: int16 at 24 kHz."""

    def __post_init__(self) -> None:
        self._queue: Frames = SILENCE
        self.hearsay = Hearsay(Random(1))
        with (
            patch("parleyd.hearing.front_end.EchoControl", lambda *a, **k: self.hearsay),
            patch("parleyd.hearing.front_end.Reference", Unreferenced),
        ):
            self.speaker = SmartSpeaker(self.settings, self.wake, group=self.group)
        if self.connected:
            self.say(ConnectionUp())
            self.say(ev.SessionCreated())
            self.run(0.05)
            self.say(ev.SessionUpdated())
            self.run(0.02)

    # --- the world ----------------------------------------------------------------------

    def say(self, event: InputEvent) -> None:
        """Send the core an event."""
        self.speaker.handle(event, self.now)

    def run(self, seconds: float) -> None:
        """Advance simulated time."""
        for _ in range(round(seconds / PERIOD_S)):
            self._period()

    def wait(self, until: Callable[[], bool], within_s: float = 30.0) -> None:
        """Advance time until the condition holds."""
        end = self.now + within_s
        while not until():
            assert self.now < end, f"not reached; the core is {self.speaker.state}"
            self._period()

    def until(self, state: State, within_s: float = 30.0) -> None:
        """Advance time until the core is in `state`."""
        self.wait(lambda: self.speaker.state is state, within_s)

    def talks(self, seconds: float) -> None:
        """Let the user talk for `seconds`."""
        self.hearsay.speaks = True
        self.run(seconds)
        self.hearsay.speaks = False

    def ask(self, name: str = "") -> None:
        """Press the button and ask; the server begins response `name`, if given."""
        before = len(self.events(ev.CreateResponse))
        self.say(ButtonPressed())
        self.run(0.2)
        self.talks(1.0)
        self.wait(lambda: len(self.events(ev.CreateResponse)) > before)
        if name:
            self.begin(name)

    # --- the server ---------------------------------------------------------------------

    def begin(self, name: str) -> None:
        """Begin the response that was requested last."""
        create = self.events(ev.CreateResponse)[-1]
        metadata = settings_of(create)["metadata"]
        self.say(ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata)))

    def sound(self, name: str, length_ms: int, item: str = "i") -> None:
        """Send audio of a response."""
        self.say(ev.AudioDelta(response_id=name, item_id=item, delta=tone(length_ms)))

    def end(self, name: str, status: str = "completed", **more: object) -> None:
        """End a response."""
        response = ev.Response(id=name, status=status, **more)  # type: ignore[arg-type]
        self.say(ev.ResponseDone(response=response))

    # --- results ------------------------------------------------------------------------

    def events(self, kind: type[Sent]) -> list[Sent]:
        return [event for event in self.sent if isinstance(event, kind)]

    def log_events(self, name: str = "") -> list[LogEvent]:
        log_events = [effect for effect in self.effects if isinstance(effect, LogEvent)]
        return [log_event for log_event in log_events if name in ("", log_event.name)]

    def effects_of(self, kind: type[Effect]) -> list[Effect]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def shown(self) -> list[Indication]:
        return [effect.indication for effect in self.effects if isinstance(effect, Show)]

    @property
    def detail(self) -> str:
        """The current text of the indication."""
        return [effect for effect in self.effects if isinstance(effect, Show)][-1].detail

    def heard_ms(self, since: float = 0.0) -> float:
        """Return for how long the loudspeaker was audible since that time."""
        pieces = self.played[round(since / PERIOD_S) :]
        loud = sum(np.count_nonzero(np.abs(p.astype(int)) > INAUDIBLE) for p in pieces)
        return loud * 1000 / SERVER_RATE_HZ

    # --- inside -------------------------------------------------------------------------

    def _period(self) -> None:
        self.now = round(self.now + PERIOD_S, 4)
        self.played.append(self._queue[:CARD_FRAMES])
        self._queue = self._queue[CARD_FRAMES:]
        step = self.speaker.tick(MicPeriod(_AIR, len(self._queue)), self.now)
        self._queue = np.concatenate([SILENCE if step.drop else self._queue, step.playback])
        for effect in step.effects:
            self.effects.append(effect)
            if isinstance(effect, Send):
                self.sent.append(effect.event)
