"""A simulated speaker for demo and tests: the real core and a real server in a simulated room."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parleyd.app.alarm_command import AlarmCommandListener
from parleyd.app.answer_listener import AnswerListener
from parleyd.app.effect_dispatcher import EffectDispatcher, EffectHost
from parleyd.config import Config
from parleyd.core.events import (
    AlarmCommandRecognized,
    AlarmDismissed,
    AlarmDue,
    AnswerRecognized,
    Effect,
    InputEvent,
    LogEvent,
    MuteSwitched,
    RecognizeAlarmCommand,
    RecognizeAnswer,
    Send,
    SetVolume,
    Show,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.realtime.events import ClientEvent, ServerEvent
from parleyd.simulation.acoustics import Room
from parleyd.simulation.card import SimulatedCard
from parleyd.simulation.drive import REAL_TIME, drive
from parleyd.simulation.recording import Recording
from parleyd.simulation.talker import Talker
from parleyd.skills import conversation, skills_of
from parleyd.skills.alarms import ClockReading as Now
from parleyd.skills.registry import FunctionSource, SkillRegistry
from parleyd.skills.timers import Timers
from parleyd.skills.volume import Volume
from parleyd.wake import WakeEngine

COMFORTABLE_MS = 1500  # with this much audio buffered, the server's latency does not matter


What = TypeVar("What", covariant=True)
Sent = TypeVar("Sent", bound=ClientEvent)
Received = TypeVar("Received", bound=ServerEvent)


@dataclass(frozen=True, slots=True)
class Timestamped(Generic[What]):
    """An event or effect of the core, and its time in simulated seconds."""

    at: float
    what: What


class SimulatedSpeaker:
    """Speaker, room, talker and server connection on one event loop, in simulated time.

    Simulated time runs in real time while the latency of another process matters: the server
    listens, thinks, or generates audio that is needed soon, or a command spoken into an alarm is
    being recognised. Otherwise it runs up to `faster` times as fast.
    """

    def __init__(
        self,
        settings: Config,
        address: ServerAddress,
        wake: WakeEngine | None,
        *,
        room: Room | None = None,
        faster: float = 8.0,
        more: FunctionSource | None = None,
    ) -> None:
        volume = Volume(settings.audio.volume, lambda percent: self.post(SetVolume(percent)))
        self.timers = Timers((), lambda: Now(self.card.now, self.card.now))
        skills = SkillRegistry(
            [*skills_of(volume), *skills_of(self.timers), *skills_of(conversation)], more=more
        )
        self.speaker = SmartSpeaker(settings, wake, skills.declarations())
        self.talker = Talker()
        self.room = room or Room(loudspeaker_rate_hz=settings.audio.playback_rate_hz)
        self.recording = Recording(settings.audio.playback_rate_hz)
        self.card = SimulatedCard(self.speaker, self.room, self.talker, recording=self.recording)
        self.moments: list[Timestamped[Any]] = []
        self.on_moment: Callable[[Timestamped[Any]], None] = lambda moment: None
        self._faster = faster
        self._recognizing = False
        self._server_ends_turns = settings.turn.detection != "local"
        self._connection = RealtimeConnection(
            address, self.post, warm=settings.realtime.connection == "warm"
        )
        self._alarm_listener = AlarmCommandListener(self.post, self.timers)
        self._answer_listener = AnswerListener(self.post)
        host = _Host(self.timers, self._alarm_listener, self._answer_listener, self._record)
        self._dispatcher = EffectDispatcher(self._connection, skills, self.post, host)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["SimulatedSpeaker"]:
        """Maintain the connection inside the block; close it at the end."""
        task = asyncio.create_task(self._connection.run(), name="connection")
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._alarm_listener.close()
            await self._answer_listener.close()

    def mute(self, muted: bool) -> None:
        """Move the mute switch: close or open the microphone and notify the core."""
        self.card.muted = muted
        self.post(MuteSwitched(muted))

    def post(self, event: InputEvent) -> None:
        """Pass an event to the core, like the button, the connection or a skill."""
        self._record(event)
        if isinstance(event, AlarmCommandRecognized | AnswerRecognized):
            self._recognizing = False
        self.speaker.handle(event, self.card.now)

    async def run(self, until: Callable[[], bool], *, longest_s: float = 60.0) -> bool:
        """Advance time until the condition holds; return False after `longest_s`."""

        def ring_and_ask() -> bool:
            for alarm in self.timers.take_due():
                self.post(AlarmDue(alarm.name, alarm.id))
            return until()

        return await drive(
            self.card,
            until=ring_and_ask,
            pace=self._pace,
            on_effects=self._carry,
            longest_s=longest_s,
        )

    async def run_for(self, seconds: float) -> None:
        """Advance the simulated time by `seconds`."""
        end = self.card.now + seconds
        await self.run(lambda: self.card.now >= end, longest_s=seconds + 1)

    def log_events(self, name: str) -> list[Timestamped[LogEvent]]:
        """Return all log events of this name, in order."""
        return [m for m in self.moments if isinstance(m.what, LogEvent) and m.what.name == name]

    def sent(self, kind: type[Sent]) -> list[Timestamped[Sent]]:
        """Return all events of this kind that were sent to the server."""
        return [m for m in self.moments if isinstance(m.what, kind)]

    def received(self, kind: type[Received]) -> list[Timestamped[Received]]:
        """Return all events of this kind that the server sent."""
        return [m for m in self.moments if isinstance(m.what, kind)]

    def _pace(self) -> float:
        speaker = self.speaker
        hears_us = speaker.state is State.LISTENING and self._server_ends_turns
        owes_us = speaker.awaiting_server and speaker.buffered_ms < COMFORTABLE_MS
        return REAL_TIME if hears_us or owes_us or self._recognizing else self._faster

    def _carry(self, effects: Sequence[Effect]) -> None:
        recognitions = (RecognizeAlarmCommand, RecognizeAnswer)
        self._recognizing |= any(isinstance(effect, recognitions) for effect in effects)
        self._dispatcher.dispatch(effects)
        for effect in effects:  # in the core's order: after the log events
            if isinstance(effect, Send):
                self._record(effect.event)

    def _record(self, what: Show | LogEvent | ClientEvent | InputEvent) -> None:
        moment = Timestamped(self.card.now, what)
        self.moments.append(moment)
        self.on_moment(moment)


class _Host(EffectHost):
    """Handles effects without lights, files and log: it records indications and log events."""

    def __init__(
        self,
        timers: Timers,
        alarm_listener: AlarmCommandListener,
        answer_listener: AnswerListener,
        record: Callable[[Show | LogEvent], None],
    ) -> None:
        self._timers, self._record = timers, record
        self._alarm_listener, self._answer_listener = alarm_listener, answer_listener

    def show(self, show: Show) -> None:
        self._record(show)

    def log(self, event: LogEvent) -> None:
        self._record(event)

    def recognize_alarm_command(self, recognize: RecognizeAlarmCommand) -> None:
        self._alarm_listener.recognize(recognize)

    def recognize_answer(self, asked: RecognizeAnswer) -> None:
        self._answer_listener.recognize(asked)

    def alarm_dismissed(self, stopped: AlarmDismissed) -> None:
        self._timers.stopped(stopped.ring_ids)
