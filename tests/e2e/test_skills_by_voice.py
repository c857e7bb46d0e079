"""Functions by voice, on the embedded server: call, execution, reply and stop."""

import msgspec
import numpy as np

from parleyd.config import Turn
from parleyd.core.events import ButtonPressed, Show
from parleyd.core.states import Shown, State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime import events as ev
from parleyd.realtime.connection import Address
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import Rehearsal
from tests.e2e.rehearsing import RATE_HZ, run, settings


async def said(rehearsal: Rehearsal, words: str) -> None:
    """Press the button, say the words, and wait for the end of the answer."""
    rehearsal.post(ButtonPressed())
    await rehearsal.run_for(0.5)
    rehearsal.talker.say(normalised(synthesize(words, "rms"), -24.0))
    spoke = lambda: rehearsal.speaker.state is State.SPEAKING  # noqa: E731
    assert await rehearsal.run(spoke, longest_s=20), f"no answer to {words!r}"
    idle = lambda: rehearsal.speaker.state is State.IDLE  # noqa: E731
    assert await rehearsal.run(idle, longest_s=20)


def calls(rehearsal: Rehearsal) -> list[str]:
    """Return the results of functions as sent to the server."""
    items = [moment.what.item for moment in rehearsal.sent(ev.CreateItem)]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


async def stopped_by_voice(rehearsal: Rehearsal) -> bool:
    """Say "stop" during the ringing, at most three times; returns whether it stopped."""
    for voice in ("rms", "slt", "rms"):
        rehearsal.talker.say(normalised(synthesize("stop", voice), -24.0))
        if await rehearsal.run(lambda: shown(rehearsal) is not Shown.RINGING, longest_s=8):
            return True
    return False


def shown(rehearsal: Rehearsal) -> Shown:
    return [m.what.shown for m in rehearsal.moments if isinstance(m.what, Show)][-1]


async def _life() -> None:
    server = EmbeddedServer()
    address = Address.embedded(await server.start())
    try:
        config = msgspec.structs.replace(settings(), turn=Turn(follow_up_s=0.0))
        room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
        rehearsal = Rehearsal(config, address, None, room=room, faster=8.0)
        async with rehearsal.connected():
            assert await rehearsal.run(lambda: bool(rehearsal.notes("ready")), longest_s=20)
            await said(rehearsal, "set a timer for fifteen seconds")
            assert calls(rehearsal) == ["The timer rings in 15 seconds."]

            responses = len(rehearsal.sent(ev.CreateResponse))
            began = rehearsal.card.now
            await said(rehearsal, "repeat that")
            assert len(calls(rehearsal)) == 2
            assert len(rehearsal.sent(ev.CreateResponse)) == responses + 1  # only for the call
            again = rehearsal.recording.loudspeaker[int(began * RATE_HZ) :]
            assert np.abs(again).max() > 2000

            rings = lambda: shown(rehearsal) is Shown.RINGING  # noqa: E731
            assert await rehearsal.run(rings, longest_s=30)
            await rehearsal.run_for(1.0)
            assert await stopped_by_voice(rehearsal)
            assert rehearsal.notes("ring_stopped")[-1].what.fields == {"by": "voice"}
            began = rehearsal.card.now
            await rehearsal.run_for(6.0)
            assert np.abs(rehearsal.recording.loudspeaker[int(began * RATE_HZ) :]).max() < 100
            assert shown(rehearsal) is Shown.IDLE
            assert rehearsal.timers.take_due() == []
    finally:
        await server.stop()


def test_timer_is_set_repeated_rung_and_stopped() -> None:
    run(_life(), within_s=150)
