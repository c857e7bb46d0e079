"""Against a server that does what no friendly server does: nothing dead is ever played,
one create for each turn, and no harmless error ends anything."""


import pytest
from conftest import run, speaker_at, tones_heard
from fault_server import Faults, FaultServer

from parleyd.boundary import ButtonPressed
from parleyd.cli.rehearsal import Rehearsal
from parleyd.states import State
from parleyd.units import Frames

INTERRUPTED = [
    Faults(),
    Faults(paced=True, endless=True),
    Faults(items=3, reply_ms=6000),
    Faults(paced=True, endless=True, late_deltas=5),
    Faults(paced=True, endless=True, deltas_before_done=5, late_deltas=5),
    Faults(paced=True, endless=True, no_done_after_cancel=True, late_deltas=2),
    Faults(paced=True, endless=True, cancel_not_active=True),
    Faults(paced=True, endless=True, speech_started_after_done=True),
    Faults(truncate_shorter_by_ms=200),
    Faults(truncate_refused="Only model output audio messages can be truncated"),
    Faults(harmless_errors=True, paced=True, endless=True),
    Faults(beta_names=True),
    Faults(active_response_first=True),
    Faults(unsolicited=True, no_echo_of_metadata=True),
    Faults(garbage=True),
    Faults(no_echo_of_metadata=True),
]


async def ask(rehearsal: Rehearsal, question: Frames, label: str) -> None:
    """Press the button, ask, and wait until the answer is heard."""
    rehearsal.post(ButtonPressed())
    await rehearsal.run_for(0.2)
    rehearsal.talker.say(question, label=label)
    assert await rehearsal.run(lambda: rehearsal.speaker.state is State.SPEAKING, longest_s=20)


async def interrupt(rehearsal: Rehearsal, objection: Frames) -> None:
    """Talk over the answer until the speaker listens, finish, and hear the next answer."""
    before = len(rehearsal.notes("commit"))
    rehearsal.talker.say(objection, label="interruption")
    assert await rehearsal.run(lambda: len(rehearsal.notes("commit")) > before, longest_s=5)
    assert await rehearsal.run(lambda: rehearsal.speaker.state is State.SPEAKING, longest_s=20)


@pytest.mark.parametrize("faults", INTERRUPTED, ids=str)
def test_nothing_of_a_dead_response_is_played(
    faults: Faults, question: Frames, objection: Frames
) -> None:
    async def scene() -> None:
        server = FaultServer(faults)
        async with server.running(), speaker_at(server) as rehearsal:
            await ask(rehearsal, question, "question")
            await rehearsal.run_for(1.0)
            await interrupt(rehearsal, objection)
            committed = rehearsal.notes("commit")[-1].at
            await rehearsal.run_for(0.7)
            first, second = 1, server.responses
            assert first in tones_heard(rehearsal)
            assert tones_heard(rehearsal, after_s=committed) == {second}
            await rehearsal.run(lambda: rehearsal.speaker.state is State.IDLE, longest_s=15)
        wanted = 2 if not faults.active_response_first else 4  # each was refused once
        if faults.unsolicited:
            wanted = len(server.of("response.create"))
        assert len(server.of("response.create")) == wanted
        assert server.sockets == 1

    run(scene())
