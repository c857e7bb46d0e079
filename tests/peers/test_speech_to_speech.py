"""Our client against Hugging Face's speech-to-speech server; see `tests/peers/run`."""

import msgspec
import peers
import pytest

from parleyd.app.server_address import server_address
from parleyd.config import RealtimeConfig
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings, tones_heard

PEER = peers.folder("SPEECH_TO_SPEECH")
SERVER = peers.HERE / "speech_to_speech_server.py"

pytestmark = pytest.mark.skipif(PEER is None, reason="peers are run by tests/peers/run")


def test_speech_to_speech_conversation_is_interrupted() -> None:
    async def scene() -> None:
        assert PEER is not None
        port = peers.free_port()
        async with peers.serving([PEER / "bin" / "python", SERVER, str(port)], port):
            realtime = RealtimeConfig(
                server="speech-to-speech", url=f"ws://127.0.0.1:{port}/v1/realtime"
            )
            address = server_address(realtime, {})
            assert address is not None
            config = msgspec.structs.replace(settings(), realtime=realtime)
            room = Room(seed=3, echo_gain_db=-30, noise_dbfs=-75, loudspeaker_rate_hz=RATE_HZ)
            simulated = SimulatedSpeaker(config, address, None, room=room, faster=50.0)
            async with simulated.connected():
                await converse(simulated)
            assert simulated.log_events("server_error") == []
            (cancel,) = simulated.sent(ev.CancelResponse)
            (truncate,) = simulated.sent(ev.TruncateItem)
            first, _ = simulated.received(ev.ResponseCreated)
            assert cancel.what.response_id == first.what.response.id
            (interrupted,) = simulated.log_events("interrupted")
            assert truncate.what.audio_end_ms == interrupted.what.fields["heard_ms"]

    run(scene(), within_s=120)


async def converse(simulated: SimulatedSpeaker) -> None:
    speaker = simulated.speaker
    assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
    simulated.post(ButtonPressed())
    await simulated.run_for(0.2)
    simulated.talker.say(synthesize("What is the weather like?", "slt"), label="question")
    assert await simulated.run(lambda: speaker.state is State.SPEAKING, longest_s=20)
    await simulated.run_for(0.8)
    simulated.talker.say(synthesize("No wait, tell me about the rain.", "rms"), label="objection")
    assert await simulated.run(lambda: speaker.state is State.LISTENING, longest_s=10)
    cut = simulated.card.now
    assert await simulated.run(lambda: speaker.state is State.SPEAKING, longest_s=20)
    assert await simulated.run(lambda: speaker.state is State.IDLE, longest_s=20)
    assert tones_heard(simulated) == {1, 2}
    assert tones_heard(simulated, after_s=cut) == {2}
