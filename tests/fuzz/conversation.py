"""A speaker with an arbitrary server, user and network, in simulated time.

A program is a list of steps; `run` checks the invariants after each step.
"""

import json
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
from hypothesis import strategies as st

from parleyd.app.effect_log import write_log_event
from parleyd.config import (
    AudioConfig,
    Config,
    PlayoutConfig,
    RealtimeConfig,
    SkillsConfig,
    TurnConfig,
)
from parleyd.config.servers import PROFILES
from parleyd.core.events import (
    AfterTool,
    AlarmDue,
    ButtonPressed,
    CallSkill,
    CardBack,
    CardLost,
    ConnectionDown,
    ConnectionUp,
    MicPeriod,
    MuteSwitched,
    Send,
    SetVolume,
    SkillDone,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.hearing.fuse import ComponentFault
from parleyd.realtime import events as ev
from parleyd.realtime.connection import RealtimeConnection, ServerAddress
from parleyd.units import MIC_PERIOD_FRAMES
from tests.client_events import settings_of
from tests.fuzz.server_text import FRAMES, shaped
from tests.fuzz.sizes import size_of

RATE_HZ: Final = 16_000  # loudspeaker rate: the cheapest
LEAD_MS = 200  # the longest lead: a reply takes few periods
LEAD_FRAMES = RATE_HZ * LEAD_MS // 1000
STRIDE_S = LEAD_MS / 1000
CAPACITY_S = 30
# the longest turn, an answer, the whole buffer, a stall, a follow-up, and a margin
SILENT_S = 5.0 + 2.0 + CAPACITY_S + 10.0 + 1.0 + 12.0
REST_S = 6.0  # longer than any timeout of the session
FLOOD = 1500  # repetitions of one event
MOST_OBJECTS = 4000  # a speaker has about 1500 after a long conversation
MOST_BYTES = 20_000_000  # mostly playback buffer, 120 s of replay, 30 s of queued microphone

Op = tuple[str, Any]


RARE: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.just("mute"), st.booleans()),
    st.tuples(st.just("connection"), st.sampled_from(["up", "down", "later", "fatal"])),
    st.tuples(st.just("card"), st.booleans()),
    st.tuples(st.just("ring"), st.integers(0, 3)),
    st.tuples(st.just("volume"), st.integers(0, 100)),
    st.tuples(st.just("button"), st.none()),
    st.tuples(st.just("greet"), st.none()),
    st.tuples(st.just("turn"), st.none()),
)
OPS: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.just("frame"), FRAMES),
    st.tuples(st.just("frame"), FRAMES),
    st.tuples(st.just("frame"), FRAMES),
    st.tuples(st.just("talk"), st.sampled_from([None, 0, 1, 3, 6])),
    st.tuples(st.just("answer"), st.integers(0, 6)),
    st.tuples(st.just("answer"), st.integers(0, 6)),
    st.tuples(st.just("wait"), st.sampled_from([1, 1, 1, 2, 5, 20])),
    st.tuples(st.just("skill"), st.sampled_from(list(AfterTool))),
    st.tuples(st.just("flood"), shaped()),
    RARE,
)


# long programs that hypothesis can still shrink
PROGRAM = st.tuples(*[st.lists(OPS, max_size=16)] * 4).map(lambda parts: list(chain(*parts)))


@st.composite
def programs(draw: st.DrawFn) -> tuple[str, str, bool, list[Op]]:
    """Draw server profile, turn detection, open microphone, and steps."""
    server = draw(st.sampled_from(["openai", "openai", "compatible", *PROFILES]))
    hears = draw(st.integers(0, 15)) == 0  # real hearing costs a hundred times the rest
    detection = draw(st.sampled_from(["server_vad", "semantic_vad", *["local"] * (2 * hears)]))
    return server, detection, hears, draw(PROGRAM)


def run(program: tuple[str, str, bool, list[Op]]) -> None:
    """Run a program, silence the server, and check that all work ends and nothing has grown."""
    server, detection, hears, ops = program
    world = World(server, detection, hears)
    for op in ops:
        world.do(op)
    world.fall_silent()


class World:
    """The speaker behind the real parser, with a simulated sound card."""

    def __init__(self, server: str, detection: str, hears: bool) -> None:
        self.settings = Config(
            audio=AudioConfig(playback_rate_hz=RATE_HZ, lead_ms=LEAD_MS),
            playout=PlayoutConfig(capacity_s=CAPACITY_S),
            turn=TurnConfig(
                detection=detection,  # type: ignore[arg-type]
                no_speech_timeout_s=1.0,
                follow_up_s=1.0,
                max_turn_s=5.0,
                response_timeout_s=2.0,
            ),
            realtime=RealtimeConfig(server=server, url="ws://nas/v1", model="m"),  # type: ignore[arg-type]
            skills=SkillsConfig(alarm_timeout_s=30),
        )
        self.hears = hears
        self.now = 100.0
        self.queued = 0
        self.speaker = SmartSpeaker(self.settings, None)
        self.connection = RealtimeConnection(
            ServerAddress("ws://nas/v1"), lambda event: self.tell(event)
        )
        self.create: ev.CreateResponse | None = None
        self.calls: list[str] = []
        self.answers = 0
        self.ids: set[str] = set()
        self.chance = np.random.default_rng(1)

    def tell(self, event: Any) -> None:
        self.speaker.handle(event, self.now)

    def say(self, **event: Any) -> None:
        self.connection._receive(json.dumps(event))

    def do(self, op: Op) -> None:
        match op:
            case ("frame", frame):
                self.connection._receive(frame)
            case ("greet", _):
                self.tell(ConnectionUp())
                self.say(type="session.created", session={})
                self.tick()
                self.say(type="session.updated", session={})
            case ("talk", deltas):
                self.talk()
                if deltas is not None:
                    self.answer(deltas)
                    self.wait(1)
            case ("turn", _):
                self.say(type="input_audio_buffer.speech_started", item_id="u")
                self.tick()
                self.say(type="input_audio_buffer.speech_stopped", item_id="u")
                self.say(type="input_audio_buffer.committed", item_id="u")
            case ("answer", deltas):
                self.answer(deltas)
            case ("wait", strides):
                self.wait(strides)
            case ("button", _):
                self.tell(ButtonPressed())
            case ("mute", muted):
                self.tell(MuteSwitched(muted))
            case ("connection", "up"):
                self.tell(ConnectionUp())
            case ("connection", how):
                self.tell(ConnectionDown("gone", fatal=how == "fatal", later=how == "later"))
            case ("card", lost):
                self.tell(CardLost("unplugged", self.queued) if lost else CardBack())
                self.queued = 0
            case ("skill", then):
                if self.calls:
                    self.tell(SkillDone(self.calls.pop(0), "done", then))
            case ("ring", number):
                self.tell(AlarmDue("tea", number))
            case ("volume", percent):
                self.tell(SetVolume(percent))
            case ("flood", event):
                self.flood(event)
        self.tick()

    def talk(self) -> None:
        """Do all that a question requires."""
        self.tell(CardBack())
        self.tell(MuteSwitched(False))
        if not self.speaker._dialogue._session.ready:
            self.do(("greet", None))
        if self.speaker.state is not State.LISTENING:
            self.tell(ButtonPressed())
            self.tick()
        if self.speaker.state is State.IDLE:
            self.tell(ButtonPressed())
            self.tick()
        if self.hears:
            for _ in range(200):
                self.tick()
        self.do(("turn", None))
        self.wait(1)

    def answer(self, deltas: int) -> None:
        """Answer the newest request like a well-behaved server."""
        if self.create is None:
            return
        self.answers += 1
        name = f"a{self.answers}"
        metadata = settings_of(self.create)["metadata"]
        self.create = None
        part = {"response_id": name, "item_id": f"i{name}"}
        self.say(type="response.created", response={"id": name, "metadata": metadata})
        for _ in range(deltas):
            self.say(type="response.output_audio.delta", delta="AQAB" * 2400, **part)
            self.tick()
        if deltas % 2:
            self.say(type="response.output_audio.done", **part)
            self.say(type="response.done", response={"id": name, "status": "completed"})

    def flood(self, event: dict[str, Any]) -> None:
        """Send one event repeatedly, each time with new ids."""
        text = json.dumps(event)
        parts = text.replace('"i1"', '"i1.#"').replace('"c1"', '"c1.#"').replace('"r1"', '"r1.#"')
        for number in range(FLOOD):
            self.connection._receive(parts.replace(".#", f".{number}"))
            if number % 100 == 0:
                self.tick()

    def wait(self, strides: int) -> None:
        for _ in range(strides):
            self.tick(STRIDE_S)

    def tick(self, seconds: float = 0.01) -> None:
        self.now += seconds
        self.queued = max(0, self.queued - round(seconds * RATE_HZ))
        frames = None
        if self.hears:
            loud = 3000 if int(self.now) % 2 else 30  # bursts with the onsets and ends of speech
            frames = self.chance.integers(-loud, loud, MIC_PERIOD_FRAMES).astype(np.int16)
        self.check(self.speaker.tick(MicPeriod(frames, self.queued), self.now))

    def check(self, step: TickResult) -> None:
        """Check that card and effect dispatcher accept the step."""
        assert step.playback.dtype == np.int16
        assert step.playback.ndim == 1
        self.queued = len(step.playback) + (0 if step.drop else self.queued)
        assert self.queued <= LEAD_FRAMES, "more frames are queued than the lead"
        for effect in step.effects:
            if isinstance(effect, Send):
                event = effect.event
                assert event.event_id
                assert event.event_id not in self.ids, "an event id is sent twice"
                self.ids.add(event.event_id)
                assert len(ev.encode(event)) < 2_000_000
                if isinstance(event, ev.CreateResponse):
                    self.create = event
            elif isinstance(effect, CallSkill):
                msgspec.json.encode(effect.arguments)
                self.calls.append(effect.call_id)
            elif isinstance(effect, ComponentFault):
                raise effect.error
            elif type(effect).__name__ == "LogEvent":
                write_log_event(effect)  # type: ignore[arg-type]

    def fall_silent(self) -> None:
        """Stop all input; functions end within their time limit."""
        self.tell(CardBack())
        self.tell(MuteSwitched(False))
        self.hears = False
        for call_id in self.calls:
            self.tell(SkillDone(call_id, "done"))
        self.calls.clear()
        end = self.now + SILENT_S
        restless = self.now  # time of the last activity
        while self.now < end and self.now - restless < REST_S:
            self.tick(STRIDE_S)
            if self.speaker.state is not State.IDLE or self.speaker.buffered_ms:
                restless = self.now
        assert self.speaker.state is State.IDLE, f"still {self.speaker.state}"
        assert self.speaker.buffered_ms == 0, "buffered audio is never played"
        objects, total = size_of(self.speaker)
        assert objects <= MOST_OBJECTS, f"{objects} objects are held"
        assert total <= MOST_BYTES, f"{total} bytes are held"
