"""An announced call in a simulated room: a spoken "no" in the moment after it prevents it."""

from collections.abc import Awaitable, Callable

import msgspec
import numpy as np
import pytest

from parleyd.config import TurnConfig
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime import events as ev
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings

ONCE = TurnConfig(follow_up_s=0.0)
ASKED = "wake me up at seven please"  # clear enough to be announced instead of asked


async def in_room(scene: Callable[[SimulatedSpeaker], Awaitable[None]]) -> None:
    """Play a scene in real time: the server's moment for an objection is real, too."""
    server = EmbeddedServer()
    address = ServerAddress.embedded(await server.start())
    try:
        config = msgspec.structs.replace(settings(), turn=ONCE)
        room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
        simulated = SimulatedSpeaker(config, address, None, room=room, faster=1.0)
        async with simulated.connected():
            assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
            simulated.post(ButtonPressed())
            await simulated.run_for(0.5)
            simulated.talker.say(normalised(synthesize(ASKED, "rms"), -24.0))
            speaks = lambda: simulated.speaker.state is State.SPEAKING  # noqa: E731
            assert await simulated.run(speaks, longest_s=20)
            await scene(simulated)
    finally:
        await server.stop()


def announced(simulated: SimulatedSpeaker) -> bool:
    return bool(simulated.received(ev.TranscriptDone))


def sounds(simulated: SimulatedSpeaker) -> bool:
    """The loudspeaker was heard within the last third of a second."""
    return bool(np.abs(simulated.recording.loudspeaker[-RATE_HZ // 3 :]).max() > 100)


async def silent(simulated: SimulatedSpeaker) -> None:
    """Wait until the announcement has been played, and a little of the moment after it."""
    assert await simulated.run(lambda: announced(simulated), longest_s=20)
    assert await simulated.run(lambda: sounds(simulated), longest_s=10)
    assert await simulated.run(lambda: not sounds(simulated), longest_s=10)


async def _says_nothing(simulated: SimulatedSpeaker) -> None:
    await silent(simulated)
    assert simulated.timers.waiting() == []
    assert await simulated.run(lambda: bool(simulated.timers.waiting()), longest_s=10)


async def _says_no(simulated: SimulatedSpeaker) -> None:
    await silent(simulated)
    simulated.talker.say(normalised(synthesize("no, no", "rms"), -24.0))
    assert await simulated.run(lambda: len(simulated.sent(ev.CreateResponse)) > 1, longest_s=10)
    await simulated.run_for(3.0)
    assert simulated.timers.waiting() == []


@pytest.mark.parametrize("scene", [_says_nothing, _says_no])
def test_announced_alarm_is_set_unless_the_user_objects(
    scene: Callable[[SimulatedSpeaker], Awaitable[None]],
) -> None:
    run(in_room(scene), within_s=100)
