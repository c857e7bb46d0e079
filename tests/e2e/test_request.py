"""The test plan of the original request, on a real socket, against the embedded server."""

import asyncio
from itertools import pairwise

import numpy as np

from parleyd.config import Config
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime import events as ev
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.simulation.played_audio import heard_of
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import Frames
from parleyd.wake import factory

RATE_HZ = 48_000


def sound_of(simulated: SimulatedSpeaker, response_id: str) -> Frames:
    """Return all audio that the server sent for a response: int16 at 24 kHz."""
    deltas = [m.what for m in simulated.received(ev.AudioDelta)]
    pcm = b"".join(delta.delta for delta in deltas if delta.response_id == response_id)
    return np.frombuffer(pcm, "<i2").astype(np.int16)


def words_of(simulated: SimulatedSpeaker, response_id: str) -> str:
    deltas = [m.what for m in simulated.received(ev.TranscriptDelta)]
    return "".join(delta.delta for delta in deltas if delta.response_id == response_id)


async def until(simulated: SimulatedSpeaker, state: State) -> None:
    assert await simulated.run(lambda: simulated.speaker.state is state, longest_s=20), state


def test_request_user_interrupts_model_and_gets_new_answer() -> None:
    """The model speaks, the user speaks, the model stops at once.

    Old audio is cleared, and the new response answers the newest input.
    """

    async def plan() -> None:
        server = EmbeddedServer()
        address = ServerAddress.embedded(await server.start())
        settings = Config()
        room = Room(seed=7, echo_gain_db=-15.0, loudspeaker_rate_hz=RATE_HZ)
        engine = factory.create(settings.wake, None)
        simulated = SimulatedSpeaker(settings, address, engine, room=room)
        try:
            async with simulated.connected():
                await converse(simulated)
        finally:
            await server.stop()

    async def converse(simulated: SimulatedSpeaker) -> None:
        talker = simulated.talker
        assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)

        # the model speaks
        talker.say(synthesize("hey jarvis"), at=0.5)
        await until(simulated, State.LISTENING)
        talker.say(synthesize("tell me a story"), at=simulated.card.now + 0.5)
        await until(simulated, State.SPEAKING)
        began_s = simulated.card.now - 0.05
        await simulated.run_for(4.0)
        (story,) = [m.what.response.id for m in simulated.received(ev.ResponseCreated)]

        # the user speaks
        talker.say(synthesize("what day is it today"), label="interruption")
        await until(simulated, State.BARGE_IN)
        held_s = simulated.card.now
        await until(simulated, State.LISTENING)
        await until(simulated, State.SPEAKING)
        date = simulated.received(ev.ResponseCreated)[-1].what.response.id
        answered_s = simulated.card.now - 0.05
        await until(simulated, State.LISTENING)  # the new answer has been heard in full

        # the model stops at once: in the period that detects the user
        played = simulated.recording.loudspeaker
        told = sound_of(simulated, story)
        heard = heard_of(told, played, RATE_HZ, from_s=began_s)
        assert not np.any(played[round(held_s * RATE_HZ) : round(answered_s * RATE_HZ)])
        paused_ms = sum(  # a hold for nothing, which continued where it had stopped
            (after.recorded_frame - before.recorded_frame - before.frames) * 1000 / RATE_HZ
            for before, after in pairwise(heard.stretches)
        )
        assert len(heard.stretches) <= 2  # at most one such hold: the canceller is still cold
        assert 3900 < heard.least_ms + paused_ms <= 1000 * (held_s - began_s)

        # old audio is cleared in Parley, which never plays the rest ...
        rest = told[int(heard.least_ms) * 24 :]
        assert len(rest) > 24_000 * 20
        assert not heard_of(rest, played, RATE_HZ, from_s=held_s).stretches
        # ... and at the server, which truncates the conversation to the heard part
        (truncate,) = [m.what for m in simulated.sent(ev.TruncateItem)]
        assert heard.least_ms - 20 <= truncate.audio_end_ms <= heard.most_ms + 1
        (cut,) = [m.what for m in simulated.received(ev.ItemTruncated)]
        assert (cut.item_id, cut.audio_end_ms) == (truncate.item_id, truncate.audio_end_ms)
        assert not simulated.received(ev.ServerError)

        # the new response answers the newest input
        assert len(simulated.sent(ev.CreateResponse)) == 2
        assert date != story
        assert words_of(simulated, date).startswith("Today is ")
        answer = sound_of(simulated, date)
        (whole,) = heard_of(answer, played, RATE_HZ, from_s=answered_s).stretches
        begin = whole.recorded_frame - whole.item_frame
        assert whole.frames > 0.9 * len(answer) * 2
        assert not np.any(played[begin + len(answer) * 2 + RATE_HZ // 1000 :])  # nothing else

    asyncio.run(asyncio.wait_for(plan(), 120.0))
