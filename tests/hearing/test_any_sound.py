"""With any sound of a card, no part fails, every number is finite, and every state ends."""

import math
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from parleyd.config import Config
from parleyd.core.events import (
    AlarmDue,
    ButtonPressed,
    CardBack,
    CardLost,
    ConnectionUp,
    InputEvent,
    MicPeriod,
    MuteSwitched,
    PlayStartupSound,
    Send,
    SetVolume,
    TickResult,
)
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.hearing.fuse import ComponentFault
from parleyd.realtime import events as ev
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_PERIOD_FRAMES, Frames
from tests.paper_server import WakeOnDemand, settings, tone

LONGEST_MS = 1000
VOICE = synthesize("What is the weather like? Tell me about the rain.", "slt")
FULL = np.where(np.arange(48_000) // 40 % 2, 32767, -32768).astype(np.int16)  # 24 kHz, 300 Hz
REPLIES = {"tone": tone(2000), "full scale": FULL, "silence": np.zeros(48_000, np.int16)}


@dataclass
class Air:
    """The sound at the microphone: a signal and a delayed echo."""

    signal: str = "noise"
    echo: float = 0.0
    delay_ms: float = 0.0
    played: Frames = field(default_factory=lambda: np.zeros(16 * LONGEST_MS + 320, np.int16))
    position: int = 0

    def period(self, random: np.random.Generator) -> Frames:
        own = self._own(random)
        end = len(self.played) - round(self.delay_ms * 16)
        late = self.played[end - MIC_PERIOD_FRAMES : end]
        return np.clip(own + self.echo * late, -32768, 32767).astype(np.int16)

    def play(self, frames: Frames) -> None:
        """Add the played device frames of one period, roughly resampled to 16 kHz."""
        at = np.linspace(0, len(frames) - 1, MIC_PERIOD_FRAMES)
        part = np.interp(at, np.arange(len(frames)), frames).astype(np.int16)
        self.played = np.concatenate([self.played[len(part) :], part])

    def _own(self, random: np.random.Generator) -> np.ndarray:
        size = MIC_PERIOD_FRAMES
        match self.signal:
            case "noise":
                return random.normal(0, 30, size)
            case "voice":
                self.position = (self.position + size) % (len(VOICE) - size)
                return VOICE[self.position : self.position + size].astype(float)
            case "full scale":
                return np.where(np.arange(size) // 20 % 2, 32767.0, -32768.0)
            case "loudest noise":
                return random.normal(0, 30_000, size)
            case "least":
                return np.full(size, -32768.0)
            case "most":
                return np.full(size, 32767.0)
            case "constant":
                return np.full(size, 1234.0)
            case "click":
                return np.eye(1, size)[0] * 32767
            case _:
                return np.zeros(size)


SIGNALS = ("silence", "noise", "voice", "full scale", "loudest noise", "least", "most",
           "constant", "click")  # fmt: skip


class World:
    """A card with any faults and a scripted server, around the real core."""

    def __init__(self, conf: Config, seed: int) -> None:
        self.wake_engine = WakeOnDemand()
        self.speaker = SmartSpeaker(conf, self.wake_engine)
        self.period = conf.audio.playback_rate_hz // 100
        self.air = Air()
        self.random = np.random.default_rng(seed)
        self.queue: Frames = np.zeros(0, np.int16)
        self.now = 100.0
        self.reply = "tone"
        self.replies = 0
        self.xruns = 0
        self.queue_is: int | None = None
        self.open = True
        for event in (ConnectionUp(), ev.SessionCreated(), ev.SessionUpdated()):
            self.speaker.handle(event, self.now)
            self.run_period()

    def say(self, event: InputEvent) -> None:
        self.speaker.handle(event, self.now)

    def run_period(self) -> None:
        self.now += 0.01
        heard, self.queue = self.queue[: self.period], self.queue[self.period :]
        self.air.play(np.concatenate([heard, np.zeros(self.period - len(heard), np.int16)]))
        frames = self.air.period(self.random) if self.open else None
        queued = len(self.queue) if self.queue_is is None else self.queue_is
        xruns, self.xruns = self.xruns, 0
        step = self.speaker.tick(MicPeriod(frames, queued, xruns), self.now)
        self.check(step)
        if step.drop:
            self.queue = self.queue[:0]
        self.queue = np.concatenate([self.queue, step.playback])[-48_000:]
        for effect in step.effects:
            if isinstance(effect, Send) and isinstance(effect.event, ev.CreateResponse):
                self.answer(effect.event)

    def check(self, step: TickResult) -> None:
        assert step.playback.dtype == np.int16
        for effect in step.effects:
            if isinstance(effect, ComponentFault):
                raise effect.error
        heard = self.speaker.readings().heard
        assert (heard is not None) == self.open
        if heard is None:
            return
        assert heard.cleaned.dtype == np.int16
        assert len(heard.cleaned) == MIC_PERIOD_FRAMES
        numbers = (heard.excess_db, heard.voice, heard.near_end, heard.speech)
        assert all(math.isfinite(n) and 0 <= n <= 12 for n in numbers), numbers
        levels = (heard.level_dbfs, heard.echo_dbfs)
        assert all(-120 <= level <= 60 for level in levels), levels

    def answer(self, create: ev.CreateResponse) -> None:
        assert isinstance(create.response, dict)
        self.replies += 1
        name = f"r{self.replies}"
        metadata = create.response["metadata"]
        self.say(ev.ResponseCreated(response=ev.Response(id=name, metadata=metadata)))
        data = REPLIES[self.reply].astype("<i2").tobytes()
        self.say(ev.AudioDelta(response_id=name, item_id=f"i{name}", delta=data))
        self.say(ev.AudioDone(response_id=name, item_id=f"i{name}"))
        self.say(ev.ResponseDone(response=ev.Response(id=name, status="completed")))


def do(world: World, what: str, number: int) -> None:
    """Apply one event to the world."""
    match what:
        case "button":
            world.say(ButtonPressed())
        case "wake word" | "stop":
            world.wake_engine.next = "hey_test" if what == "wake word" else "stop"
        case "mute" | "open":
            world.open = what == "open"
            world.say(MuteSwitched(not world.open))
        case "card lost":
            world.open = False
            world.queue = world.queue[:0]
            world.say(CardLost("unplugged", number))
        case "card back":
            world.open = True
            world.say(CardBack())
        case "xrun":
            world.xruns = 1 + number % 3
        case "odd queue":
            world.queue_is = (0, -1, -480, 1, 7, 10_000, 1_000_000, 2**31)[number % 8]
        case "true queue":
            world.queue_is = None
        case "dropout":
            world.queue = world.queue[number % 4800 :]
        case "missing":
            world.now += 0.01 * (1 + number % 30)
        case "volume":
            world.say(SetVolume(number % 101))
        case "reply":
            world.reply = tuple(REPLIES)[number % len(REPLIES)]
        case "greet":
            world.say(PlayStartupSound())
        case "ring":
            world.say(AlarmDue("eggs", number))


THINGS = ("button", "wake word", "stop", "mute", "open", "card lost", "card back", "xrun",
          "odd queue", "true queue", "dropout", "missing", "volume", "reply", "greet",
          "ring")  # fmt: skip

happens = st.tuples(st.sampled_from(THINGS), st.integers(0, 10_000))
airs = st.tuples(
    st.sampled_from(SIGNALS),
    st.sampled_from((0.0, 0.01, 0.3, 1.0, 8.0, -1.0)),
    st.one_of(st.floats(0, LONGEST_MS), st.floats(255, 305)),
)
scenes = st.lists(
    st.tuples(airs, st.lists(happens, max_size=4), st.integers(1, 120)), min_size=2, max_size=8
)


@pytest.mark.slow
@tries(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    scenes=scenes,
    seed=st.integers(0, 1000),
    reaction=st.sampled_from(("hold", "duck")),
    canceller=st.sampled_from(("software", "software", "hardware")),
    rate_hz=st.sampled_from((48_000, 16_000, 24_000, 44_100)),
    lead_ms=st.sampled_from((40, 20, 100, 200)),
)
def test_hearing_of_any_sound_does_not_fail(
    scenes: list[tuple[tuple[str, float, float], list[tuple[str, int]], int]],
    seed: int,
    reaction: str,
    canceller: str,
    rate_hz: int,
    lead_ms: int,
) -> None:
    conf = settings(follow_up_s=1.0, rate_hz=rate_hz, on_suspicion=reaction, canceller=canceller)
    audio = msgspec.structs.replace(conf.audio, lead_ms=lead_ms)
    world = World(msgspec.structs.replace(conf, audio=audio), seed)
    do(world, "button", 0)
    for (signal, echo, delay_ms), things, periods in scenes:
        world.air.signal, world.air.echo, world.air.delay_ms = signal, echo, delay_ms
        for what, number in things:
            do(world, what, number)
        for _ in range(periods):
            world.run_period()
    ends(world)


def ends(world: World) -> None:
    """Close the microphone and wait until the speaker becomes idle."""
    world.queue_is = None
    for what in ("card back", "mute"):
        do(world, what, 0)
    for _ in range(4000):
        world.run_period()
        if world.speaker.state is State.IDLE:
            return
    raise AssertionError(f"{world.speaker.state} after 40 s without an event")
