"""Functions by voice, on the embedded server: call, execution, reply and stop."""

import msgspec
import numpy as np

from parleyd.config import TurnConfig
from parleyd.core.events import ButtonPressed, Show
from parleyd.core.states import Indication, State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime import events as ev
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings


async def said(simulated: SimulatedSpeaker, words: str) -> None:
    """Press the button, say the words, and wait for the end of the answer."""
    simulated.post(ButtonPressed())
    await simulated.run_for(0.5)
    simulated.talker.say(normalised(synthesize(words, "rms"), -24.0))
    spoke = lambda: simulated.speaker.state is State.SPEAKING  # noqa: E731
    assert await simulated.run(spoke, longest_s=20), f"no answer to {words!r}"
    idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
    assert await simulated.run(idle, longest_s=20)


def calls(simulated: SimulatedSpeaker) -> list[str]:
    """Return the results of functions as sent to the server."""
    items = [moment.what.item for moment in simulated.sent(ev.CreateItem)]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


async def stopped_by_voice(simulated: SimulatedSpeaker) -> bool:
    """Say "stop" during the ringing, at most three times; returns whether it stopped."""
    for voice in ("rms", "slt", "rms"):
        simulated.talker.say(normalised(synthesize("stop", voice), -24.0))
        if await simulated.run(lambda: shown(simulated) is not Indication.RINGING, longest_s=8):
            return True
    return False


def shown(simulated: SimulatedSpeaker) -> Indication:
    return [m.what.indication for m in simulated.moments if isinstance(m.what, Show)][-1]


async def _life() -> None:
    server = EmbeddedServer()
    address = ServerAddress.embedded(await server.start())
    try:
        config = msgspec.structs.replace(settings(), turn=TurnConfig(follow_up_s=0.0))
        room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
        simulated = SimulatedSpeaker(config, address, None, room=room, faster=8.0)
        async with simulated.connected():
            assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
            await said(simulated, "set a timer for fifteen seconds")
            assert calls(simulated) == ["The timer rings in 15 seconds."]

            responses = len(simulated.sent(ev.CreateResponse))
            began = simulated.card.now
            await said(simulated, "repeat that")
            assert len(calls(simulated)) == 2
            assert len(simulated.sent(ev.CreateResponse)) == responses + 1  # only for the call
            again = simulated.recording.loudspeaker[int(began * RATE_HZ) :]
            assert np.abs(again).max() > 2000

            rings = lambda: shown(simulated) is Indication.RINGING  # noqa: E731
            assert await simulated.run(rings, longest_s=30)
            await simulated.run_for(1.0)
            assert await stopped_by_voice(simulated)
            assert simulated.log_events("alarm_dismissed")[-1].what.fields == {"by": "voice"}
            began = simulated.card.now
            await simulated.run_for(6.0)
            assert np.abs(simulated.recording.loudspeaker[int(began * RATE_HZ) :]).max() < 100
            assert shown(simulated) is Indication.IDLE
            assert simulated.timers.take_due() == []
    finally:
        await server.stop()


def test_timer_is_set_repeated_rung_and_stopped() -> None:
    run(_life(), within_s=150)
