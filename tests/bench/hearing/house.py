"""The core in its house: a simulated server with endless replies, and an observed card."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from parleyd.audio import FULL_SCALE, rms_dbfs
from parleyd.config import Config
from parleyd.core.events import ButtonPressed, ConnectionUp, LogEvent, MicPeriod, Send, TickResult
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.hearing.barge_in import Decision
from parleyd.realtime import events as ev
from parleyd.units import SERVER_RATE_HZ, SILENCE, Frames
from parleyd.wake import WakeEngine

AHEAD_MS = 1500  # lead of the server, which streams faster than speech
SILENCE_S = 0.5  # the server's own end-of-turn detection


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A log event of the core, with its time."""

    at_s: float
    name: str
    fields: dict[str, object]


class Core(Protocol):
    """The subject of a session: the real core, or the detector that it is compared with."""

    log_events: list[LoggedEvent]
    cpu_us: list[float]
    sent: list[Frames]
    """Audio sent to the server since the newest interruption, int16 at 24 kHz."""
    likely: list[float]
    """For each period the probability of a user while a reply is audible, otherwise 0."""

    @property
    def state(self) -> State: ...

    def converse(self, user_talks: bool, now: float) -> None:
        """Keep the conversation running; called before each period."""

    def tick(self, mic: MicPeriod, now: float) -> TickResult: ...


@dataclass
class House:
    """The real core, online, in a conversation that lasts as long as the session drives it.

    `answer_s`: the least length of an answer, after which another turn follows; None: endless.
    """

    settings: Config
    reply: Iterator[Frames]
    idle_s: float = 0.0
    """The time until the button is pressed for the first time."""

    answer_s: float | None = None
    engine: WakeEngine | None = None
    log_events: list[LoggedEvent] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    sent: list[Frames] = field(default_factory=list)
    likely: list[float] = field(default_factory=list)
    _responses: int = 0
    _response: str | None = None
    _received_s: float = 0.0
    _quiet_since: float = 0.0

    def __post_init__(self) -> None:
        self.speaker = SmartSpeaker(self.settings, self.engine)
        for event in (ConnectionUp(), ev.SessionCreated(), ev.SessionUpdated()):
            self.speaker.handle(event, 0.0)
        if not self.idle_s:
            self.speaker.handle(ButtonPressed(), 0.0)

    @property
    def state(self) -> State:
        return self.speaker.state

    def converse(self, user_talks: bool, now: float) -> None:
        """End the user's turn after silence; keep a second of reply ahead."""
        if user_talks or self.state is not State.LISTENING:
            self._quiet_since = now
        elif now - self._quiet_since >= SILENCE_S:
            self.speaker.handle(ev.SpeechStopped(item_id=f"u{self._responses}"), now)
            self.speaker.handle(ev.AudioCommitted(item_id=f"u{self._responses}"), now)
        if self.state is State.IDLE and now >= self.idle_s:  # at first, or the turn timed out
            self.speaker.handle(ButtonPressed(), now)
        self.stream(now)

    def stream(self, now: float) -> None:
        """Deliver the next piece of the answer, if there is one and the core has room."""
        response = self._response
        if response is None or self.speaker.buffered_ms >= AHEAD_MS:
            return
        frames, item = next(self.reply), f"i{response}"
        delta = frames.astype("<i2").tobytes()
        event = ev.AudioDelta(response_id=response, item_id=item, delta=delta)
        self.speaker.handle(event, now)
        self._received_s += len(frames) / SERVER_RATE_HZ
        if self.answer_s is not None and self._received_s >= self.answer_s:
            self._response = None
            self.speaker.handle(ev.AudioDone(response_id=response, item_id=item), now)
            done = ev.Response(id=response, status="completed")
            self.speaker.handle(ev.ResponseDone(response=done), now)

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        begin = time.thread_time()
        step = self.speaker.tick(mic, now)
        heard = self.speaker.readings().heard
        suspects = heard is not None and heard.trusted and self.state is State.SPEAKING
        self.likely.append(heard.near_end if heard is not None and suspects else 0.0)
        if self.state in (State.SPEAKING, State.BARGE_IN):
            self.cpu_us.append((time.thread_time() - begin) * 1e6)
        for effect in step.effects:
            match effect:
                case LogEvent(name, fields):
                    self.log_events.append(LoggedEvent(now, name, dict(fields)))
                    if name == Decision.INTERRUPT:
                        self.sent = []
                case Send(event):
                    self._answer(event, now)
        return step

    def _answer(self, event: ev.ClientEvent, now: float) -> None:
        match event:
            case ev.AppendAudio():
                self.sent.append(np.frombuffer(event.audio, "<i2").astype(np.int16))
            case ev.CreateResponse():
                self._responses += 1
                self._response, self._received_s = f"r{self._responses}", 0.0
                assert isinstance(event.response, dict)
                created = ev.Response(id=self._response, metadata=event.response["metadata"])
                self.speaker.handle(ev.ResponseCreated(response=created), now)
            case ev.CancelResponse() if self._response is not None:
                done = ev.Response(id=self._response, status="cancelled")
                self._response = None
                self.speaker.handle(ev.ResponseDone(response=done), now)


@dataclass
class FixedThreshold:
    """The detector of hobby projects: stop if the microphone exceeds a fixed level for a while.

    It has no reference, no canceller, no second stage. -35 dBFS is an RMS of 580 of 32768, the
    middle of the defaults of such projects (300 to 1000). 10 of 12 blocks of 30 ms correspond to
    the third of a second that they wait to reject clicks.
    """

    reply: Iterator[Frames]
    lead_frames: int
    rate_factor: int  # device rate over server rate, an integer: frames are repeated
    threshold_dbfs: float = -35.0
    log_events: list[LoggedEvent] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    sent: list[Frames] = field(default_factory=list)
    likely: list[float] = field(default_factory=list)
    state: State = State.LISTENING
    _quiet_since: float = 0.0
    _line: Frames = field(default_factory=lambda: SILENCE)
    _block: list[Frames] = field(default_factory=list)
    _loud: list[bool] = field(default_factory=list)

    def converse(self, user_talks: bool, now: float) -> None:
        """Speak again after the user was silent for a while."""
        if user_talks or self.state is State.SPEAKING:
            self._quiet_since = now
        elif now - self._quiet_since >= SILENCE_S:
            self.state = State.SPEAKING

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        if self.state is State.LISTENING:
            return TickResult(False, SILENCE, ())
        assert mic.frames is not None
        if self._hears(mic.frames):
            self.state = State.LISTENING
            self._loud.clear()
            self.log_events.append(LoggedEvent(now, Decision.INTERRUPT, {}))
            return TickResult(True, SILENCE, ())
        missing = max(0, self.lead_frames - mic.queued_frames)
        while len(self._line) < missing:
            piece = np.repeat(next(self.reply), self.rate_factor)
            self._line = np.concatenate((self._line, piece))
        playback, self._line = self._line[:missing], self._line[missing:]
        return TickResult(False, playback, ())

    def _hears(self, frames: Frames) -> bool:
        self._block.append(frames)
        if len(self._block) < 3:
            return False
        block = np.concatenate(self._block) / FULL_SCALE
        self._block.clear()
        level_dbfs = rms_dbfs(block)
        self._loud = [*self._loud[-11:], level_dbfs > self.threshold_dbfs]
        return sum(self._loud) >= 10


def repeats(rate_hz: int) -> int:
    """Return the number of device frames for each server frame."""
    return rate_hz // SERVER_RATE_HZ
