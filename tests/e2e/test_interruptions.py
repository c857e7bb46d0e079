"""Interruptions at unusual moments of a conversation, on a real socket.

In each test no old audio is played, the heard milliseconds are reported within 20 ms or not at
all, each turn has one response.create, and the conversation continues.
"""

from typing import Any

import msgspec
import numpy as np
import pytest

from parleyd.config import Config, RealtimeConfig
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import RATE_HZ, run, settings, speaker_at, tones_heard

PACED: dict[str, Any] = {
    "paced": True,
    "endless": True,
}  # the server still generates while it is interrupted


def compatible() -> Config:
    """Return settings for a server that interrupts its answers; Parley itself does not."""
    base = settings()
    return msgspec.structs.replace(
        base,
        realtime=RealtimeConfig(server="compatible", url="ws://127.0.0.1/"),
        hearing=msgspec.structs.replace(base.hearing, barge_in=False),
    )


async def ask(simulated: SimulatedSpeaker, question: Frames, until: State = State.SPEAKING) -> None:
    simulated.post(ButtonPressed())
    await simulated.run_for(0.2)
    simulated.talker.say(question, label="question")
    await reach(simulated, until)


async def reach(simulated: SimulatedSpeaker, state: State) -> None:
    assert await simulated.run(lambda: simulated.speaker.state is state, longest_s=20)


def sounded_ms(simulated: SimulatedSpeaker, until_s: float) -> int:
    """Return the duration of sound in the loudspeaker's recording, without gaps."""
    played = simulated.recording.loudspeaker[: int(until_s * RATE_HZ)].astype(np.float64)
    blocks = played[: len(played) // 48 * 48].reshape(-1, 48)  # 1 ms: half a period and more
    return int(np.count_nonzero(np.sqrt(np.mean(blocks**2, axis=1)) > 300))


def test_interruption_before_first_audio_truncates_nothing(
    question: Frames, objection: Frames
) -> None:
    async def scene() -> None:
        server = FaultServer(Faults(audio_after_s=1.5))
        async with server.running(), speaker_at(server) as simulated:
            await ask(simulated, question, State.THINKING)
            assert await simulated.run(
                lambda: bool(simulated.received(ev.ResponseCreated)), longest_s=20
            )
            simulated.talker.say(objection, label="afterthought")
            await reach(simulated, State.LISTENING)
            await reach(simulated, State.SPEAKING)
            await simulated.run_for(0.5)
            assert tones_heard(simulated) == {2}
        assert [event["response_id"] for event in server.of("response.cancel")] == ["resp_1"]
        assert server.of("conversation.item.truncate") == []
        assert server.of("conversation.item.delete") == []
        assert len(server.of("response.create")) == 2

    run(scene())


@pytest.mark.parametrize("faults", [Faults(), Faults(**PACED)], ids=["complete", "generating"])
def test_two_interruptions_in_a_row_play_only_the_last_answer(
    faults: Faults, question: Frames, objection: Frames
) -> None:
    async def scene() -> None:
        server = FaultServer(faults)
        async with server.running(), speaker_at(server) as simulated:
            await ask(simulated, question)
            for _ in range(2):
                await simulated.run_for(0.6)
                simulated.talker.say(objection, label="interruption")
                await reach(simulated, State.LISTENING)
                await reach(simulated, State.SPEAKING)
            decided_s = simulated.log_events("interrupt")[-1].at
            await simulated.run_for(0.5)
            assert tones_heard(simulated) == {1, 2, 3}
            assert tones_heard(simulated, after_s=decided_s) == {3}
        truncated = [event["item_id"] for event in server.of("conversation.item.truncate")]
        assert truncated == ["item_1_0", "item_2_0"]
        assert len(server.of("response.create")) == 3

    run(scene())


@pytest.mark.parametrize("done_first", [False, True], ids=["started-done", "done-started"])
@pytest.mark.parametrize(
    "faults", [Faults(**PACED), Faults(reply_ms=6000)], ids=["generating", "only playing"]
)
def test_server_interruption_is_followed_without_a_cancel(
    faults: Faults, done_first: bool, question: Frames, objection: Frames
) -> None:
    async def scene() -> None:
        server = FaultServer(faults)
        async with server.running(), speaker_at(server, compatible()) as simulated:
            await ask(simulated, question)
            await simulated.run_for(0.8)
            assert server.talk is not None
            cleared = len(server.of("input_audio_buffer.clear"))
            appended = len(server.of("input_audio_buffer.append"))
            simulated.talker.say(objection, label="interruption")
            await server.talk.cut_off(done_first=done_first)
            await reach(simulated, State.LISTENING)
            cut = simulated.card.now
            await reach(simulated, State.SPEAKING)
            await simulated.run_for(0.5)
            assert tones_heard(simulated, after_s=cut + 0.02) == {2}
            heard_ms = sounded_ms(simulated, cut + 0.1)
        (truncate,) = server.of("conversation.item.truncate")
        assert truncate["item_id"] == "item_1_0"
        assert abs(truncate["audio_end_ms"] - heard_ms) <= 20
        assert server.of("response.cancel") == []
        assert len(server.of("response.create")) == 2
        # The server already has the beginning of the utterance, so nothing is cleared; the
        # audio held back during the answer is sent first.
        assert len(server.of("input_audio_buffer.clear")) == cleared
        gap = server.of("input_audio_buffer.append")[appended]
        assert len(gap["audio"]) * 3 / 4 / 48 > 800

    run(scene())


def test_server_without_response_done_loses_no_turn(question: Frames) -> None:
    async def scene() -> None:
        server = FaultServer(Faults(no_done=True, reply_ms=1000))
        async with server.running(), speaker_at(server, compatible()) as simulated:
            for number in (1, 2):
                await ask(simulated, question)
                await reach(simulated, State.IDLE)
                assert tones_heard(simulated) == set(range(1, number + 1))
            assert simulated.log_events("reply_failed") == []
        assert len(server.of("response.create")) == 2
        assert server.of("response.cancel") == []

    run(scene())
