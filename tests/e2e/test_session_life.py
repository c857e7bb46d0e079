"""Sessions on a real socket: renewal and connection on wake lose no word."""

import msgspec

from parleyd.config import RealtimeConfig
from parleyd.core.events import ButtonPressed, ConnectionDown, Show
from parleyd.core.states import Indication, State
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import run, settings, speaker_at, tones_heard

BELIEVED_S = 60.0
REST_AFTER_S = 30.0

SHORT_LIFE_S = BELIEVED_S + 10


def heard_by(server: FaultServer) -> float:
    """Return the milliseconds of microphone audio that the server received."""
    return sum(len(event["audio"]) for event in server.of("input_audio_buffer.append")) * 3 / 4 / 48


async def ask(simulated: SimulatedSpeaker, question: Frames) -> None:
    simulated.post(ButtonPressed())
    simulated.talker.say(question, label="question")
    assert await simulated.run(lambda: simulated.speaker.state is State.SPEAKING, longest_s=20)
    assert await simulated.run(lambda: simulated.speaker.state is State.IDLE, longest_s=20)


def test_renewal_during_wake_up_loses_no_audio(
    question: Frames,
) -> None:
    """Speech during the opening of the new socket is sent to it, in order and complete."""

    async def scene() -> None:
        server = FaultServer(Faults(reply_ms=1000, expires_in_s=SHORT_LIFE_S))
        async with server.running(), speaker_at(server) as simulated:
            server.faults.expires_in_s = None
            assert await simulated.run(
                lambda: bool(simulated.log_events("connection")), longest_s=SHORT_LIFE_S
            )
            assert server.sockets == 1
            await ask(simulated, question)
            assert server.sockets == 2
            assert tones_heard(simulated) == {1}
            assert heard_by(server) >= len(question) / 16
            seen = [m.what for m in simulated.moments]
            ready = seen.index(simulated.log_events("ready")[0].what)
            assert not [what for what in seen if isinstance(what, ConnectionDown)]
            shown = [what.indication for what in seen[ready:] if isinstance(what, Show)]
            assert Indication.OFFLINE not in shown
        assert len(server.of("response.create")) == 1

    run(scene())


def test_on_wake_connection_receives_the_first_words(question: Frames) -> None:
    async def scene() -> None:
        base = settings()
        config = msgspec.structs.replace(base, realtime=RealtimeConfig(connection="on-wake"))
        server = FaultServer(Faults(reply_ms=1000))
        async with server.running():
            simulated = SimulatedSpeaker(config, server.address, None, faster=50.0)
            async with simulated.connected():
                await simulated.run_for(1.0)
                assert server.sockets == 0
                await ask(simulated, question)
                assert server.sockets == 1
                assert heard_by(server) >= len(question) / 16
                await simulated.run_for(REST_AFTER_S + 0.5)
                assert server.talk is not None
                await server.talk.socket.wait_closed()
                assert server.talk.socket.close_code == 1000
                await ask(simulated, question)
                assert server.sockets == 2
            shown = [m.what.indication for m in simulated.moments if isinstance(m.what, Show)]
            assert Indication.OFFLINE not in shown
            assert tones_heard(simulated) == {1, 2}

    run(scene())
