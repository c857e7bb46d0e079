"""Conversations with a misbehaving server.

No audio of a dead response is played, each turn has one response.create, and harmless errors
end nothing.
"""

import asyncio
from typing import Any

import pytest

from parleyd.core.events import ButtonPressed, ConnectionDown
from parleyd.core.states import State
from parleyd.realtime import events as ev
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.units import Frames
from tests.e2e.fault_server import Faults, FaultServer
from tests.e2e.rehearsing import run, settings, speaker_at, tones_heard

GENERATING: dict[str, Any] = {
    "paced": True,
    "endless": True,
}  # interrupted while the server still generates
INTERRUPTED = {
    "complete before it is interrupted": Faults(),
    "still generating": Faults(**GENERATING),
    "several audio items": Faults(items=3, reply_ms=6000),
    "late deltas after done": Faults(**GENERATING, late_deltas=5),
    "late deltas before and after done": Faults(**GENERATING, deltas_before_done=5, late_deltas=5),
    "no done after cancel": Faults(**GENERATING, no_done_after_cancel=True, late_deltas=2),
    "cancel loses the race": Faults(**GENERATING, cancel_not_active=True),
    "speech_started after done": Faults(**GENERATING, speech_started_after_done=True),
    "truncate past the end": Faults(truncate_shorter_by_ms=200),
    "truncate refused": Faults(
        truncate_refused="Only model output audio messages can be truncated"
    ),
    "harmless errors": Faults(**GENERATING, harmless_errors=True),
    "beta event names": Faults(beta_names=True),
    "another response is active": Faults(active_response_first=True),
    "unsolicited responses": Faults(unsolicited=True, no_echo_of_metadata=True),
    "garbage": Faults(garbage=True),
    "metadata not echoed": Faults(no_echo_of_metadata=True),
}


async def ask(simulated: SimulatedSpeaker, question: Frames, label: str) -> None:
    """Press the button, ask, and wait for the answer's audio."""
    simulated.post(ButtonPressed())
    await simulated.run_for(0.2)
    simulated.talker.say(question, label=label)
    assert await simulated.run(lambda: simulated.speaker.state is State.SPEAKING, longest_s=20)


async def interrupt(simulated: SimulatedSpeaker, objection: Frames) -> None:
    """Talk over the answer until the speaker listens, finish, and wait for the next answer."""
    before = len(simulated.log_events("interrupt"))
    simulated.talker.say(objection, label="interruption")
    assert await simulated.run(lambda: len(simulated.log_events("interrupt")) > before, longest_s=5)
    assert await simulated.run(lambda: simulated.speaker.state is State.SPEAKING, longest_s=20)


@pytest.mark.parametrize("faults", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_dead_response_is_never_played(faults: Faults, question: Frames, objection: Frames) -> None:
    async def scene() -> None:
        server = FaultServer(faults)
        async with server.running(), speaker_at(server) as simulated:
            await ask(simulated, question, "question")
            await simulated.run_for(0.6)
            await interrupt(simulated, objection)
            decided_s = simulated.log_events("interrupt")[-1].at
            await simulated.run_for(0.4)
            first, second = 1, server.responses
            assert first in tones_heard(simulated)
            assert tones_heard(simulated, after_s=decided_s) == {second}
            simulated.post(ButtonPressed())
            assert simulated.speaker.state is State.IDLE
            await simulated.run_for(0.2)
        wanted = 2 if not faults.active_response_first else 4  # the server refuses each once
        if faults.unsolicited:
            wanted = len(server.of("response.create"))
        assert len(server.of("response.create")) == wanted
        assert server.sockets == 1

    run(scene())


def test_user_speaking_during_thinking_cancels_the_answer(
    question: Frames, objection: Frames
) -> None:
    """A response interrupted before response.created is cancelled when its id arrives."""

    async def scene() -> None:
        server = FaultServer(Faults(created_after_s=1.5))
        async with server.running(), speaker_at(server) as simulated:
            simulated.post(ButtonPressed())
            await simulated.run_for(0.2)
            simulated.talker.say(question, label="question")
            assert await simulated.run(
                lambda: simulated.speaker.state is State.THINKING, longest_s=20
            )
            simulated.talker.say(objection, label="afterthought")
            assert await simulated.run(
                lambda: simulated.speaker.state is State.LISTENING, longest_s=5
            )
            assert await simulated.run(
                lambda: simulated.speaker.state is State.SPEAKING, longest_s=20
            )
            await simulated.run_for(0.5)
            assert tones_heard(simulated) == {2}
            assert [m.what.response_id for m in simulated.sent(ev.CancelResponse)] == ["resp_1"]

    run(scene())


def test_truncation_reports_the_heard_milliseconds(question: Frames, objection: Frames) -> None:
    async def scene() -> None:
        server = FaultServer(Faults(items=2, reply_ms=8000))
        async with server.running(), speaker_at(server) as simulated:
            await ask(simulated, question, "question")
            began = simulated.card.now
            await simulated.run_for(1.2)
            await interrupt(simulated, objection)
            held = simulated.log_events("hold")[-1].at
        (truncate,) = server.of("conversation.item.truncate")
        assert truncate["item_id"] == "item_1_0"
        # the state becomes speaking one tick after the first frame leaves the loudspeaker
        assert 0 <= (held - began) * 1000 + 20 - truncate["audio_end_ms"] <= 20
        assert [event["item_id"] for event in server.of("conversation.item.delete")] == ["item_1_1"]

    run(scene())


def test_session_closed_at_its_limit_is_followed_by_a_new_one(question: Frames) -> None:
    """Close code 1001 ends a websockets loop silently; Parley must notice and reconnect."""

    async def scene() -> None:
        limit = (1, 1001, "session_expired")
        server = FaultServer(Faults(close_after_commits=limit, paced=True, endless=True))
        async with server.running(), speaker_at(server) as simulated:
            simulated.post(ButtonPressed())
            await simulated.run_for(0.2)
            simulated.talker.say(question, label="question")
            assert await simulated.run(
                lambda: len(simulated.log_events("ready")) == 2, longest_s=30
            )
            assert simulated.speaker.state is State.IDLE
            await ask(simulated, question, "again")
            assert server.sockets == 2

    run(scene())


@pytest.mark.parametrize(
    ("code", "close", "words"),
    [
        ("invalid_api_key", 3000, "check OPENAI_API_KEY"),
        ("invalid_model", 4000, "check realtime.model"),
        ("insufficient_quota", 1000, "add credit"),
    ],
)
def test_refusal_is_logged_once_with_the_remedy(code: str, close: int, words: str) -> None:
    """A refused key waits for a change, other errors for minutes or for the user."""

    async def scene() -> None:
        server = FaultServer(Faults(refuse_at_start=(code, close)))
        async with server.running():
            simulated = SimulatedSpeaker(settings(), server.address, None)
            async with simulated.connected():
                assert await simulated.run(lambda: bool(downs(simulated)), longest_s=20)
                await simulated.run_for(5.0)
                await asyncio.sleep(1.0)  # real time for a retry to arrive
            (down,) = downs(simulated)
            assert (down.fatal, down.later) == (close == 3000, close != 3000)
            assert words in down.reason
            assert server.sockets == 1

    run(scene())


def downs(simulated: SimulatedSpeaker) -> list[ConnectionDown]:
    return [moment.what for moment in simulated.moments if isinstance(moment.what, ConnectionDown)]
