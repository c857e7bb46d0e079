"""Sessions on a real socket: renewal and connection on wake lose no word."""

import msgspec

from parleyd.config import Realtime
from parleyd.core.events import ButtonPressed, LinkDown, Show
from parleyd.core.states import Shown, State
from parleyd.simulation.simulated_speaker import Rehearsal
from parleyd.units import Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import run, settings, speaker_at, tones_heard

BELIEVED_S = 60.0
REST_AFTER_S = 30.0

SHORT_LIFE_S = BELIEVED_S + 10


def heard_by(server: FaultServer) -> float:
    """Return the milliseconds of microphone audio that the server received."""
    return sum(len(event["audio"]) for event in server.of("input_audio_buffer.append")) * 3 / 4 / 48


async def ask(rehearsal: Rehearsal, question: Frames) -> None:
    rehearsal.post(ButtonPressed())
    rehearsal.talker.say(question, label="question")
    assert await rehearsal.run(lambda: rehearsal.speaker.state is State.SPEAKING, longest_s=20)
    assert await rehearsal.run(lambda: rehearsal.speaker.state is State.IDLE, longest_s=20)


def test_renewal_during_wake_up_loses_no_audio(
    question: Frames,
) -> None:
    """Speech during the opening of the new socket is sent to it, in order and complete."""

    async def scene() -> None:
        server = FaultServer(Faults(reply_ms=1000, expires_in_s=SHORT_LIFE_S))
        async with server.running(), speaker_at(server) as rehearsal:
            server.faults.expires_in_s = None
            assert await rehearsal.run(
                lambda: bool(rehearsal.notes("line")), longest_s=SHORT_LIFE_S
            )
            assert server.sockets == 1
            await ask(rehearsal, question)
            assert server.sockets == 2
            assert tones_heard(rehearsal) == {1}
            assert heard_by(server) >= len(question) / 16
            seen = [m.what for m in rehearsal.moments]
            ready = seen.index(rehearsal.notes("ready")[0].what)
            assert not [what for what in seen if isinstance(what, LinkDown)]
            shown = [what.shown for what in seen[ready:] if isinstance(what, Show)]
            assert Shown.OFFLINE not in shown
        assert len(server.of("response.create")) == 1

    run(scene())


def test_on_wake_connection_receives_the_first_words(question: Frames) -> None:
    async def scene() -> None:
        base = settings()
        config = msgspec.structs.replace(base, realtime=Realtime(connection="on-wake"))
        server = FaultServer(Faults(reply_ms=1000))
        async with server.running():
            rehearsal = Rehearsal(config, server.address, None, faster=50.0)
            async with rehearsal.connected():
                await rehearsal.run_for(1.0)
                assert server.sockets == 0
                await ask(rehearsal, question)
                assert server.sockets == 1
                assert heard_by(server) >= len(question) / 16
                await rehearsal.run_for(REST_AFTER_S + 0.5)
                assert server.talk is not None
                await server.talk.socket.wait_closed()
                assert server.talk.socket.close_code == 1000
                await ask(rehearsal, question)
                assert server.sockets == 2
            shown = [m.what.shown for m in rehearsal.moments if isinstance(m.what, Show)]
            assert Shown.OFFLINE not in shown
            assert tones_heard(rehearsal) == {1, 2}

    run(scene())
