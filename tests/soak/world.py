"""A household in simulated time: a speaker, its users, sound card, network, and faults."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from unittest.mock import patch

import numpy as np

from parleyd.config import Config
from parleyd.core.events import (
    AfterTool,
    AlarmCommandRecognized,
    AlarmDismissed,
    AlarmDue,
    ButtonPressed,
    CallSkill,
    CardBack,
    CardLost,
    ConnectionDown,
    ConnectionUp,
    Effect,
    InputEvent,
    LogEvent,
    MicPeriod,
    MuteSwitched,
    OpenMicrophone,
    RecognizeAlarmCommand,
    Send,
    SetVolume,
    SkillDone,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication, State
from parleyd.hearing.barge_in import Decision
from parleyd.realtime import events as ev
from parleyd.realtime.responses import TURN_KEY
from parleyd.realtime.server_errors import ErrorAction, classify_error
from parleyd.units import PERIOD_MS, SERVER_RATE_HZ
from tests.soak.hearsay import Hearsay
from tests.soak.line import About, PaperLink
from tests.soak.memory import containers
from tests.soak.oracle import Oracle, Violation
from tests.soak.server import Answer
from tests.soak.sounds import Sound, tones

PERIOD_S = PERIOD_MS / 1000
CARD_FRAMES = SERVER_RATE_HZ * PERIOD_MS // 1000
LOOP_S = 0.005  # effects run on another thread
STORM_S = (60.0, 240.0)  # between two calm periods, in which everything must work
CAPTURED = 8  # periods that the card buffers for a late core
LOOK_S = 600.0  # interval between two measurements of the core's containers
REST_S = 150.0  # the longest question, answer and follow-up in sequence
SETTLE_S = 8.0  # all pending work has timed out by then
ANSWERED_S = 60.0  # a question in calm: its answer lasts at most 20 s and may call functions


class WakeOnDemand:
    """A wake-word engine that fires on demand."""

    name = "on demand"
    keywords: tuple[str, ...] = ("hey_test", "stop")
    score = None
    bands = None

    def __init__(self) -> None:
        self.next: str | None = None

    def process(self, frames: object, *, speaking: bool = False) -> str | None:
        keyword, self.next = self.next, None
        return keyword

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


@dataclass
class Figures:
    """Counters for the report."""

    hours: float = 0.0
    turns: int = 0
    answers_finished: int = 0
    interruptions: int = 0
    truncations: int = 0
    heard_s: float = 0.0
    sockets: int = 0
    renewals: int = 0
    faults: int = 0
    rings: int = 0
    functions: int = 0
    holds: int = 0
    false_interruptions: int = 0
    calms: int = 0
    restarts: int = 0


@dataclass
class World:
    """One speaker and its environment; equal settings and seeds give equal runs."""

    settings: Config
    seed: int
    now: float = 0.0
    friendly: bool = False
    figures: Figures = field(default_factory=Figures)
    held: list[dict[str, int]] = field(default_factory=list)
    """Sizes of the core's containers, sampled in calm periods."""

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.recent: deque[str] = deque(maxlen=60)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 100
        self._inbox: deque[tuple[InputEvent, About]] = deque()
        self._muted = self._switched_off = self._without_card = self._key_is_wrong = False
        self._queued = self._waiting = self._xruns = 0
        self._dry = False
        self._stalled_until = 0.0
        self._talks_until = self._coughs_until = 0.0
        self._rings: dict[int, Sound] = {}
        self._start()
        self._walk(self._users())
        self._walk(self._problems())
        self._walk(self._days())

    def _start(self) -> None:
        """Start the speaker with a new environment."""
        self.wake_engine = WakeOnDemand()
        self.hearsay = Hearsay(self.random)
        self.tones = tones()
        self.speaker = self._speaker()
        self.oracle = Oracle(self.settings, self.tones, self.now)
        self.link = PaperLink(self, self.settings, self.post)

    def _speaker(self) -> SmartSpeaker:
        with patch("parleyd.hearing.front_end.EchoControl", lambda *a, **k: self.hearsay):
            return SmartSpeaker(self.settings, self.wake_engine)

    # --- time ---------------------------------------------------------------------------

    def after(self, delay_s: float, then: Callable[[], None]) -> None:
        """Call `then` after `delay_s`, before the tick that ends at that time."""
        heapq.heappush(self._due, (self.now + max(0.0, delay_s), self.count(), then))

    def count(self) -> int:
        """Return a number that was never returned before."""
        self._count += 1
        return self._count

    def run(self, seconds: float) -> None:
        """Advance simulated time. Raises `Violation`."""
        end = self.now + seconds
        while self.now < end - PERIOD_S / 2:
            self._run_period()
            self.figures.hours = self.now / 3600

    def _run_due(self) -> None:
        self.now = round(self.now + PERIOD_S, 4)
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()

    def _run_period(self) -> None:
        self._run_due()
        self._queued -= CARD_FRAMES
        if self._queued < 0:
            self._dry = self._dry or self._queued > -CARD_FRAMES
            self._queued = 0
        self._waiting = min(self._waiting + 1, CAPTURED)
        if self.now < self._stalled_until:
            return
        while self._waiting:  # after a stall, captured periods arrive in one burst
            self._waiting -= 1
            xruns, self._xruns = self._xruns, 0
            mic = MicPeriod(None if self._deaf else _AIR, self._queued, xruns)
            self._play(self.tick(mic, self.now))

    def tick(self, mic: MicPeriod, now: float) -> TickResult:
        """Run one tick of the core, called by the card; the oracle sees the same tick."""
        while self._inbox:
            self._tell(*self._inbox.popleft())
        self.hearsay.speaks = self.now < self._talks_until
        self.hearsay.coughs = self.now < self._coughs_until
        if self._deaf:
            self.wake_engine.next = None
        step = self.speaker.tick(mic, now)
        for effect in step.effects:
            self._log_effect(effect)
        self.oracle.look(self.speaker, mic, step, now)
        for effect in step.effects:
            self._carry(effect)
        if step.effects:
            self.after(LOOP_S, partial(_carry_all, self.link, step.effects))
        return step

    @property
    def _deaf(self) -> bool:
        return self._muted or self._without_card

    def _play(self, step: TickResult) -> None:
        if step.drop:
            self._queued, self._dry = 0, False
        if self._without_card:
            return
        self._queued += len(step.playback)
        if self._dry and len(step.playback):
            self._dry = False
            self._xruns += 1

    # --- to the core ----------------------------------------------------------------------

    def post(self, event: InputEvent, about: About = None) -> None:
        """Queue an event for the core's next period."""
        self._inbox.append((event, about))

    def _tell(self, event: InputEvent, about: About) -> None:
        if isinstance(event, ev.ServerEvent):
            self._told_by_server(event, about)
        elif isinstance(event, ConnectionUp | ConnectionDown):
            self.oracle.socket_gone()
        elif isinstance(event, MuteSwitched):
            self.oracle.muted = event.muted
        elif isinstance(event, CardLost):
            self.oracle.card_lost(event.unheard_frames)
            self.oracle.without_card = True
        elif isinstance(event, CardBack):
            self.oracle.without_card = False
        elif isinstance(event, AlarmDue):
            self.oracle.rings()
        elif isinstance(event, SkillDone) and event.after is AfterTool.REPLAY:
            self._repeats(event)
        if not isinstance(event, _CHATTER):
            self.recent.append(f"{self.now:10.2f} -> {_brief(event)}")
        self.speaker.handle(event, self.now)

    def _told_by_server(self, event: ev.ServerEvent, about: About) -> None:
        match event, about:
            case ev.ResponseCreated(), Answer(number=number, create=create):
                self.oracle.born(number, create, self.speaker.state)
            case ev.AudioDelta(delta=delta), Sound() as sound:
                items = self.oracle.answers.get(sound.answer, [])
                if sound not in items:
                    items.append(sound)
                more, sound.odd_byte = divmod(len(delta) + sound.odd_byte, 2)
                sound.sent += more
            case ev.AudioDone(), Sound() as sound:
                sound.done_s = self.now
            case ev.ServerError(error=error), _:
                refusal = classify_error(error)
                if refusal.action is ErrorAction.TRUNCATE_AT and refusal.audio_ms is not None:
                    self.oracle.refused_truncate(error.event_id, refusal.audio_ms)
        self.oracle.delivered(event)

    def _repeats(self, event: SkillDone) -> None:
        """Expect the last reply to be played again."""
        again = self.speaker._player._last
        if not self.speaker._dialogue._session.owes(event.call_id) or len(again) == 0:
            return
        number = self.count()
        sound = Sound(f"again_{number}", number, len(again), number, known=again, done_s=self.now)
        sound.sent = len(again)
        self.oracle.answers[number] = [sound]

    # --- from the core --------------------------------------------------------------------

    def _carry(self, effect: Effect) -> None:
        match effect:
            case CallSkill(call_id, name, _):
                self.figures.functions += 1
                slow = not self.friendly and self.random.random() < 0.1
                delay_s = self.random.uniform(4, 6) if slow else self.random.uniform(0, 0.8)
                done = SkillDone(call_id, "done", self._then(name))
                self.after(delay_s, lambda: self.post(done))
            case AlarmDismissed(ring_ids):
                for ring_id in ring_ids:
                    del self.tones[f"spoken {ring_id}"]
            case RecognizeAlarmCommand() if self.random.random() < 0.9:
                understood = AlarmCommandRecognized(self.random.random() < 0.5)
                self.after(self.random.uniform(0.1, 2.5), lambda: self.post(understood))
            case OpenMicrophone():
                if not self._switched_off:
                    self.after(0.1, lambda: self._mute(False))
            case LogEvent(name, fields):
                self._noted(name, fields)

    def _then(self, name: str) -> AfterTool:
        if self.friendly:
            return AfterTool.RESPOND
        return {"say_again": AfterTool.REPLAY, "goodbye": AfterTool.END}.get(
            name, AfterTool.RESPOND
        )

    def _noted(self, name: str, fields: dict[str, object]) -> None:
        figures = self.figures
        match name:
            case "turn":
                figures.turns += 1
            case Decision.HOLD:
                figures.holds += 1
            case Decision.RESUME:
                figures.false_interruptions += 1
            case "connection":
                figures.renewals += fields["ask"] == "renew"
                if fields["ask"] != "connect" or fields["state"] == "idle":
                    self.oracle.socket_gone()

    def _log_effect(self, effect: Effect) -> None:
        if isinstance(effect, Send) and isinstance(effect.event, ev.AppendAudio | ev.CreateItem):
            return
        if isinstance(effect, LogEvent) and effect.name in ("usage", "turn"):
            return
        self.recent.append(f"{self.now:10.2f} <- {_brief(effect)}")

    # --- scripts: each yields the seconds until its next step -------------------------------

    def _walk(self, script: Iterator[float]) -> None:
        delay_s = next(script, None)
        if delay_s is not None:
            self.after(delay_s, lambda: self._walk(script))

    def _days(self) -> Iterator[float]:
        """Alternate storm and calm forever."""
        while True:
            yield self.random.uniform(*STORM_S)
            self.friendly = True
            self._repair()
            yield from self._rest()
            yield from self._answered()
            yield from self._rest()
            if self.now >= len(self.held) * LOOK_S:
                self.held.append(containers(self.speaker))
            self.figures.calms += 1
            self.friendly = False

    def _repair(self) -> None:
        """End all faults."""
        self._talks_until = self._coughs_until = self.now
        self._restart()
        self._switched_off = self.link.outage = False
        self._mute(False)
        if self._without_card:
            self._card_back()

    def _rest(self) -> Iterator[float]:
        """Wait until the speaker is at rest; without users it must get there."""
        end = self.now + REST_S
        while not self._at_rest:
            if self.now > end:
                raise Violation(
                    f"the speaker does not come to rest in silence: {self.speaker.state}, "
                    f"connection {self.speaker._dialogue.connection._state}, "
                    f"audible {not self.oracle.silent}"
                )
            if self.oracle.shown is Indication.RINGING:
                self.post(ButtonPressed())
            yield 0.25
        yield SETTLE_S

    @property
    def _at_rest(self) -> bool:
        resting = self.settings.realtime.connection == "on-wake"
        idle = self.speaker.state is State.IDLE and not self.oracle.ringing
        return idle and self.oracle.silent and (resting or self.speaker._dialogue._session.ready)

    def _answered(self) -> Iterator[float]:
        """Ask a friendly server a question; the whole answer must be heard."""
        finished, number = self.oracle.finished, self._count
        self.wake_engine.next = "hey_test"
        yield 0.5
        if self.speaker.state is not State.LISTENING:
            raise Violation(f"after the wake word in silence, the speaker is {self.speaker.state}")
        self._talk(1.5)
        end = self.now + ANSWERED_S
        while self.oracle.finished == finished:
            if self.now > end:
                raise Violation(
                    f"the answer of a friendly server is not heard: {self.speaker.state}"
                )
            yield 0.1
        sounds = [s for n, items in self.oracle.answers.items() if n > number for s in items]
        for sound in sounds:
            if sound.heard != sound.length:
                raise Violation(
                    f"{sound.heard} of {sound.length} frames of {sound.name} were heard"
                )
        if not sounds:
            raise Violation("the answer of a friendly server was silence")

    def _users(self) -> Iterator[float]:
        """Let users ask, interrupt and change their minds."""
        random = self.random
        while True:
            yield random.expovariate(1 / 4)
            if self.friendly:
                continue
            if random.random() < 0.6:
                self.wake_engine.next = "hey_test"
            else:
                self.post(ButtonPressed())
            yield random.uniform(0.05, 1.5)
            if random.random() < 0.9 and not self.friendly:
                self._talk(random.uniform(0.2, 4.0))
            yield random.uniform(0.0, 6.0)
            while random.random() < 0.6 and not self.friendly:
                self._react()
                yield random.expovariate(1 / 3)

    def _react(self) -> None:
        random = self.random
        match random.randrange(10):
            case 0 | 1 | 2 | 3:
                self._talk(random.uniform(0.3, 3.0))
            case 4 | 5:
                self._cough(random.uniform(0.05, 0.3))
            case 6:
                self.wake_engine.next = "hey_test"
            case 7:
                self.wake_engine.next = "stop"
            case 8:
                self.post(ButtonPressed())
            case 9:  # two in a row
                self._talk(0.6)
                self.after(0.8, lambda: self.friendly or self._talk(1.0))  # type: ignore[arg-type,func-returns-value]

    def _problems(self) -> Iterator[float]:
        """Inject faults and events at bad moments."""
        while True:
            yield self.random.expovariate(1 / 15)
            if not self.friendly:
                self.figures.faults += 1
                self._trouble()

    def _trouble(self) -> None:
        random = self.random
        match random.randrange(18):
            case 0:
                self._switched_off = True
                self._mute(True)
                self.after(random.uniform(0.5, 20), self._unmute)
            case 1 if not self._without_card:
                self._lose_card()
                self.after(random.uniform(0.25, 20), self._card_back)
            case 2 | 3:
                self._ring()
            case 4:
                self._xruns += random.randint(1, 3)
            case 5:
                self._stall(random.uniform(0.02, 0.4))
            case 6 | 7:
                self.link.cut()
            case 8:
                self.link.outage = True
                self.link.cut()
                self.after(random.uniform(2, 40), self._clear_up)
            case 9:
                self.post(SetVolume(random.randint(0, 100)))
            case 10 if random.random() < 0.05:
                self._refused()
            case _:
                if self.link.server is not None:
                    self.link.server.misbehave()

    def _refused(self) -> None:
        """Refuse the key; later the user corrects it and restarts the daemon."""
        self.link.close(3000, "invalid_request_error.invalid_api_key")
        self._key_is_wrong = True
        self.after(self.random.uniform(1, 30), self._restart)

    def _restart(self) -> None:
        if not self._key_is_wrong:
            return
        self._key_is_wrong = False
        self.figures.restarts += 1
        self._add_up()
        self.link.forget()
        self._inbox.clear()
        self._queued, self._dry = 0, False
        self._switched_off = self._without_card = self._muted = False
        self._start()

    def add_up(self) -> Figures:
        """Return the counters up to now."""
        self._add_up()
        self.oracle.interruptions = self.oracle.truncations = self.oracle.finished = 0
        self.oracle.heard_frames = self.link.sockets = 0
        return self.figures

    def _add_up(self) -> None:
        figures, oracle = self.figures, self.oracle
        figures.interruptions += oracle.interruptions
        figures.truncations += oracle.truncations
        figures.answers_finished += oracle.finished
        figures.heard_s += oracle.heard_frames / SERVER_RATE_HZ
        figures.sockets += self.link.sockets

    # --- single things --------------------------------------------------------------------

    def _talk(self, seconds: float) -> None:
        self._talks_until = max(self._talks_until, self.now + seconds)

    def _cough(self, seconds: float) -> None:
        self._coughs_until = self.now + seconds

    def _stall(self, seconds: float) -> None:
        self._stalled_until = self.now + seconds

    def _clear_up(self) -> None:
        self.link.outage = False

    def _unmute(self) -> None:
        self._switched_off = False
        self._mute(False)

    def _mute(self, muted: bool) -> None:
        if muted != self._muted:
            self._muted = muted
            self.post(MuteSwitched(muted))

    def _lose_card(self) -> None:
        self._without_card = True
        self.post(CardLost("the card was lost", self._queued))
        self._queued, self._dry = 0, False

    def _card_back(self) -> None:
        if self._without_card:
            self._without_card = False
            self._queued, self._dry = 0, False
            self.post(CardBack())

    def _ring(self) -> None:
        self.figures.rings += 1
        number = self.count()
        length = int(self.random.uniform(0.3, 1.5) * SERVER_RATE_HZ)
        spoken = Sound(f"spoken {number}", number, length, sent=length)
        self.tones[spoken.name] = spoken
        self.post(AlarmDue("egg", number, spoken.frames(0, length)))


_CHATTER = (ev.AudioDelta, ev.TranscriptDelta, ev.ItemAdded, ev.AudioCleared)
_AIR = np.zeros(160, np.int16)


def _carry_all(link: PaperLink, effects: Sequence[Effect]) -> None:
    for effect in effects:
        link.carry(effect)


def _brief(thing: object) -> str:
    """One line for the report of a violation."""
    match thing:
        case Send(event):
            return f"Send {_brief(event)}"
        case LogEvent(name, fields):
            return f"log event {name} {dict(fields)}"
        case ev.CreateResponse(response=response):
            return f"CreateResponse {response}"
        case ev.ResponseCreated(response=r) | ev.ResponseDone(response=r):
            turn = (r.metadata or {}).get(TURN_KEY)
            return f"{type(thing).__name__} {r.id} {r.status} of create {turn} {r.status_details}"
        case AlarmDue(name, ring_id):
            return f"Ring {ring_id}"
        case ev.SessionCreated() | ev.SessionUpdated() | ev.SessionUpdate():
            return type(thing).__name__
        case _:
            return str(thing)[:200]
