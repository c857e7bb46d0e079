"""A conversation over a network with bad weather, in simulated time, and what was heard of it.

Every reply is noise of its own, which no part of it or of another repeats: each frame that
leaves the loudspeaker tells which reply it belongs to and at which place.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import msgspec
import numpy as np
from weather import CALM, Cut, Network, Weather, spans

from parleyd.config import Audio, Config, Hearing
from parleyd.core.events import ButtonPressed, LinkUp, Show
from parleyd.core.states import Shown, State
from parleyd.playback import earcons
from parleyd.realtime.connection import Address
from parleyd.simulation.acoustics import Room
from parleyd.simulation.drive import LIFE, drive
from parleyd.simulation.simulated_speaker import Rehearsal
from parleyd.units import SERVER_RATE_HZ, Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import settings

RATE_HZ: Final = SERVER_RATE_HZ  # the playout need not resample: what is played is what was sent
LONGEST_REPLY_S = 15
AUDIBLE_GAP_MS = 20  # shorter is the period's grid
KNOWN_BY = 8  # frames that tell which reply this is


LASTS_S = 8.0

WEATHERS = {
    "calm": CALM,
    "stalls, 8 % of the time": Weather(still=spans(4, (0.1, 0.4), 0.08, LASTS_S)),
    "outages of 1-2 s": Weather(still=((2.5, 3.5), (4.5, 6.5))),
    "spikes of 400 ms": Weather(late=spans(3, (0.2, 1.0), 0.3, LASTS_S), late_s=0.4),
    "a trickle of 64 kbit/s": Weather(slow=(0.0, LASTS_S)),
    "a trickle, from the answer on": Weather(slow=(3.0, LASTS_S)),
}


def marks(number: int, start_ms: int, length_ms: int) -> Frames:
    """Reply `number` as noise that is never 0: a 0 in the loudspeaker was not sent."""
    start, end = (ms * RATE_HZ // 1000 for ms in (start_ms, start_ms + length_ms))
    return _noise(number)[start:end]


@cache
def _noise(number: int) -> Frames:
    noise = np.random.default_rng(number).integers(-1000, 1000, LONGEST_REPLY_S * RATE_HZ)
    return (2 * noise + 1).astype(np.int16)


@dataclass
class Heard:
    """One reply as it left the loudspeaker: its beginning, with silence inserted only."""

    number: int
    began_s: float
    ended_s: float
    frames: int = 0
    gaps: list[tuple[float, int]] = field(default_factory=list)
    """At which second, how many ms."""

    @property
    def ms(self) -> int:
        return self.frames * 1000 // RATE_HZ


def replies_in(loudspeaker: Frames, replies: int) -> list[Heard]:
    """What was played of the first `replies` replies, in the order of playing.

    AssertionError where a frame was left out, repeated, reordered or never sent.
    """
    sent = [marks(number, 0, LONGEST_REPLY_S * 1000) for number in range(1, replies + 1)]
    ours = [tone() for tone in (earcons.low_tone, earcons.sorry, earcons.chime)]
    ours = [tone[tone != 0] for tone in ours]
    places = np.flatnonzero(loudspeaker)
    played = loudspeaker[places]
    found: list[Heard] = []
    at = 0
    while at < len(played):
        known = played[at : at + KNOWN_BY]
        number = next((n for n, r in enumerate(sent, 1) if _same(known, r) == len(known)), 0)
        length = _same(played[at:], sent[number - 1]) if number else 0
        length = length or max(_same(played[at:], tone) for tone in ours)
        second = float(places[at] / RATE_HZ)
        assert length, f"at {second:.3f} s something is played that does not belong there"
        if number:
            assert number not in [heard.number for heard in found], f"reply {number} repeats"
            where = places[at : at + length]
            steps = np.diff(where) - 1
            gaps = [
                (float(where[i] / RATE_HZ), int(steps[i] * 1000 // RATE_HZ))
                for i in np.flatnonzero(steps * 1000 >= AUDIBLE_GAP_MS * RATE_HZ)
            ]
            found.append(Heard(number, second, float(where[-1] / RATE_HZ), length, gaps))
        at += length
    return found


def _same(played: Frames, sent: Frames) -> int:
    """How many frames from the beginning on are the same."""
    length = min(len(played), len(sent))
    differs = np.flatnonzero(played[:length] != sent[:length])
    return int(differs[0]) if len(differs) else length


class Outdoors(Rehearsal):
    """A rehearsal on a loop whose time is simulated: card, link, network and server share it."""

    async def run(self, until: Callable[[], bool], *, longest_s: float = 60.0) -> bool:
        return await drive(
            self.card,
            until=until,
            pace=lambda: LIFE,
            on_effects=self._carry,
            longest_s=longest_s,
            clock=asyncio.get_running_loop().time,
        )


@dataclass
class Scene:
    """A speaker, a network and a server."""

    rehearsal: Outdoors
    network: Network
    server: FaultServer
    question: Frames

    @property
    def now(self) -> float:
        return self.rehearsal.card.now

    async def ask(self, longest_s: float = 30.0) -> bool:
        """Press the button and ask; False when no answer is heard."""
        self.rehearsal.post(ButtonPressed())
        self.rehearsal.talker.say(self.question, label="question")
        await self.until(State.THINKING, State.IDLE, longest_s=longest_s)
        await self.until(State.SPEAKING, State.IDLE, longest_s=longest_s)
        return self.rehearsal.speaker.state is State.SPEAKING

    async def until(self, *states: State, longest_s: float = 90.0) -> None:
        speaker = self.rehearsal.speaker
        reached = await self.rehearsal.run(lambda: speaker.state in states, longest_s=longest_s)
        assert reached, f"still {speaker.state} after {longest_s:g} s"

    async def ready(self, longest_s: float = 60.0) -> None:
        """Until people would see that they can ask."""
        done = await self.rehearsal.run(
            lambda: self.shown_last.shown is Shown.IDLE, longest_s=longest_s
        )
        assert done, f"shows {self.shown_last} after {longest_s:g} s"

    def replies(self) -> list[Heard]:
        return replies_in(self.rehearsal.recording.loudspeaker, self.server.responses)

    def shown_at(self, second: float) -> Show:
        """What people saw then."""
        shows = [(m.at, m.what) for m in self.rehearsal.moments if isinstance(m.what, Show)]
        return [show for at, show in shows if at <= second][-1]

    @property
    def shown_last(self) -> Show:
        moments = reversed(self.rehearsal.moments)
        return next((m.what for m in moments if isinstance(m.what, Show)), Show(Shown.OFFLINE))

    @property
    def sockets(self) -> int:
        """How many were opened."""
        return len([m for m in self.rehearsal.moments if isinstance(m.what, LinkUp)])


def outdoors_settings() -> Config:
    audio = Audio(playback_rate_hz=RATE_HZ, volume=100)
    hearing = Hearing(canceller="hardware")  # nobody talks over an answer here; it saves a third
    return msgspec.structs.replace(settings(), audio=audio, hearing=hearing)


@asynccontextmanager
async def outdoors(
    faults: Faults, question: Frames, *, cut: Cut | None = None
) -> AsyncIterator[Scene]:
    """A speaker that shows that one can ask, in calm weather, but for one cut."""
    server = FaultServer(faults, voice=marks)
    # so little echo that nothing is ever held: a fade would change the frames
    room = Room(seed=3, echo_gain_db=-60.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    async with server.running(), Network(server.port, cut_behind=cut).up() as network:
        address = Address(f"ws://127.0.0.1:{network.here}/v1/realtime?model=test")
        rehearsal = Outdoors(outdoors_settings(), address, None, room=room)
        async with rehearsal.connected():
            scene = Scene(rehearsal, network, server, question)
            await scene.ready()
            yield scene


async def recover(scene: Scene) -> float:
    """From now, in calm weather, until a question is answered again; AssertionError if not."""
    began = scene.now
    await scene.ready()
    took_s = scene.now - began
    await scene.rehearsal.run_for(1.5)  # whoever was still asking has seen that it is of no use
    assert await scene.ask(), "asked in calm weather, and no answer"
    return took_s


async def talk(scene: Scene) -> None:
    """An answer that is heard to its end, and one that the button interrupts; stops at a cut."""
    to_cut = scene.network.cut_behind
    if not await scene.ask():
        return
    await scene.until(State.IDLE)
    if scene.network.cut_behind is to_cut and await scene.ask():
        await scene.rehearsal.run_for(0.5)
        scene.rehearsal.post(ButtonPressed())
        await scene.rehearsal.run_for(0.3)


TALK = Faults(paced=True, ahead_ms=600, reply_ms=1600)


async def recorded(question: Frames) -> list[str]:
    """Every message of `talk`, from the opening of the socket on, in order."""
    async with outdoors(TALK, question) as scene:
        await talk(scene)
        return scene.network.passed


async def cut_behind(cut: Cut, question: Frames) -> tuple[list[Heard], float]:
    """`talk` with a cut: what was heard, and how many seconds until one could ask again."""
    async with outdoors(TALK, question, cut=cut) as scene:
        await talk(scene)
        assert scene.network.cut_behind is None, "the conversation has not got so far"
        took_s = await recover(scene)
        await scene.until(State.IDLE)
        return scene.replies(), took_s
