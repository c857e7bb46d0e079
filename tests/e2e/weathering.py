"""A conversation over a faulty network in simulated time, and the analysis of its audio.

Every reply is unique noise that never repeats, so each frame at the loudspeaker identifies its
reply and its position.
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

from parleyd.config import AudioConfig, Config, HearingConfig
from parleyd.core.events import ButtonPressed, ConnectionUp, Show
from parleyd.core.states import Indication, State
from parleyd.playback import earcons
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.drive import REAL_TIME, drive
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import SERVER_RATE_HZ, Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import settings

RATE_HZ: Final = (
    SERVER_RATE_HZ  # the server's rate: without resampling, played frames equal sent frames
)
LONGEST_REPLY_S = 15
AUDIBLE_GAP_MS = 20  # shorter gaps come from the grid of periods
KNOWN_BY = 8  # frames that identify a reply


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
    """Return reply `number` as noise without zeros: a played 0 was not sent."""
    start, end = (ms * RATE_HZ // 1000 for ms in (start_ms, start_ms + length_ms))
    return _noise(number)[start:end]


@cache
def _noise(number: int) -> Frames:
    noise = np.random.default_rng(number).integers(-1000, 1000, LONGEST_REPLY_S * RATE_HZ)
    return (2 * noise + 1).astype(np.int16)


@dataclass
class Heard:
    """The played beginning of one reply, with inserted silence."""

    number: int
    began_s: float
    ended_s: float
    frames: int = 0
    gaps: list[tuple[float, int]] = field(default_factory=list)
    """Second and length in ms of each gap."""

    @property
    def ms(self) -> int:
        return self.frames * 1000 // RATE_HZ


def replies_in(loudspeaker: Frames, replies: int) -> list[Heard]:
    """Return the played part of the first `replies` replies, in the order of playing.

    Raises `AssertionError` if a frame was omitted, repeated, reordered or never sent.
    """
    sent = [marks(number, 0, LONGEST_REPLY_S * 1000) for number in range(1, replies + 1)]
    ours = [tone() for tone in (earcons.low_tone, earcons.sorry, earcons.chime, earcons.offline)]
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
        assert length, f"the frames at {second:.3f} s belong to no reply"
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
    """Return the number of equal frames from the start."""
    length = min(len(played), len(sent))
    differs = np.flatnonzero(played[:length] != sent[:length])
    return int(differs[0]) if len(differs) else length


class Outdoors(SimulatedSpeaker):
    """A rehearsal in simulated time, shared by card, connection, network and server."""

    async def run(self, until: Callable[[], bool], *, longest_s: float = 60.0) -> bool:
        return await drive(
            self.card,
            until=until,
            pace=lambda: REAL_TIME,
            on_effects=self._carry,
            longest_s=longest_s,
            clock=asyncio.get_running_loop().time,
        )


@dataclass
class Scene:
    """A speaker, a network and a server."""

    simulated: Outdoors
    network: Network
    server: FaultServer
    question: Frames

    @property
    def now(self) -> float:
        return self.simulated.card.now

    async def ask(self, longest_s: float = 30.0) -> bool:
        """Press the button and ask; returns False if no answer is audible."""
        self.simulated.post(ButtonPressed())
        self.simulated.talker.say(self.question, label="question")
        await self.until(State.THINKING, State.IDLE, longest_s=longest_s)
        await self.until(State.SPEAKING, State.IDLE, longest_s=longest_s)
        return self.simulated.speaker.state is State.SPEAKING

    async def until(self, *states: State, longest_s: float = 90.0) -> None:
        speaker = self.simulated.speaker
        reached = await self.simulated.run(lambda: speaker.state in states, longest_s=longest_s)
        assert reached, f"still {speaker.state} after {longest_s:g} s"

    async def ready(self, longest_s: float = 60.0) -> None:
        """Wait until the indication shows that the user can ask."""
        done = await self.simulated.run(
            lambda: self.shown_last.indication is Indication.IDLE, longest_s=longest_s
        )
        assert done, f"shows {self.shown_last} after {longest_s:g} s"

    def replies(self) -> list[Heard]:
        return replies_in(self.simulated.recording.loudspeaker, self.server.responses)

    def shown_at(self, second: float) -> Show:
        """Return the indication at that second."""
        shows = [(m.at, m.what) for m in self.simulated.moments if isinstance(m.what, Show)]
        return [show for at, show in shows if at <= second][-1]

    @property
    def shown_last(self) -> Show:
        moments = reversed(self.simulated.moments)
        return next((m.what for m in moments if isinstance(m.what, Show)), Show(Indication.OFFLINE))

    @property
    def sockets(self) -> int:
        """Number of opened sockets."""
        return len([m for m in self.simulated.moments if isinstance(m.what, ConnectionUp)])


def outdoors_settings() -> Config:
    audio = AudioConfig(playback_rate_hz=RATE_HZ, volume=100)
    hearing = HearingConfig(canceller="hardware")  # no user talks over an answer; saves a third
    return msgspec.structs.replace(settings(), audio=audio, hearing=hearing)


@asynccontextmanager
async def outdoors(
    faults: Faults, question: Frames, *, cut: Cut | None = None
) -> AsyncIterator[Scene]:
    """Run a speaker that is ready for questions, in calm weather except for one cut."""
    server = FaultServer(faults, voice=marks)
    # little echo, so that nothing is held: a fade would change the frames
    room = Room(seed=3, echo_gain_db=-60.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    async with server.running(), Network(server.port, cut_behind=cut).up() as network:
        address = ServerAddress(f"ws://127.0.0.1:{network.here}/v1/realtime?model=test")
        simulated = Outdoors(outdoors_settings(), address, None, room=room)
        async with simulated.connected():
            scene = Scene(simulated, network, server, question)
            await scene.ready()
            yield scene


async def recover(scene: Scene) -> float:
    """Return the seconds in calm weather until a question is answered again.

    Raises `AssertionError` if it is not answered.
    """
    began = scene.now
    await scene.ready()
    took_s = scene.now - began
    await scene.simulated.run_for(1.5)  # an unfinished question has been abandoned by then
    assert await scene.ask(), "no answer in calm weather"
    return took_s


async def talk(scene: Scene) -> None:
    """Ask for one complete answer and for one that the button interrupts; stops at a cut."""
    to_cut = scene.network.cut_behind
    if not await scene.ask():
        return
    await scene.until(State.IDLE)
    if scene.network.cut_behind is to_cut and await scene.ask():
        await scene.simulated.run_for(0.5)
        scene.simulated.post(ButtonPressed())
        await scene.simulated.run_for(0.3)


TALK = Faults(paced=True, ahead_ms=600, reply_ms=1600)


async def recorded(question: Frames) -> list[str]:
    """Return every message of `talk` in order, from the opening of the socket on."""
    async with outdoors(TALK, question) as scene:
        await talk(scene)
        return scene.network.passed


async def cut_behind(cut: Cut, question: Frames) -> tuple[list[Heard], float]:
    """Run `talk` with a cut; returns the heard replies and the seconds to recover."""
    async with outdoors(TALK, question, cut=cut) as scene:
        await talk(scene)
        assert scene.network.cut_behind is None, "the conversation ended before the cut"
        took_s = await recover(scene)
        await scene.until(State.IDLE)
        return scene.replies(), took_s
