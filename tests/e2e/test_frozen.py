"""Child processes that freeze in a conversation: the user hears a sound, the next turn works."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from parleyd.config import Turn
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime.connection import Address
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import Rehearsal
from tests.e2e.rehearsing import RATE_HZ, run, settings


@asynccontextmanager
async def speaker() -> AsyncIterator[tuple[EmbeddedServer, Rehearsal]]:
    server = EmbeddedServer()
    address = Address.embedded(await server.start())
    keeping = asyncio.create_task(server.keep_alive())
    config = msgspec.structs.replace(settings(), turn=Turn(detection="local", follow_up_s=0.0))
    room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    rehearsal = Rehearsal(config, address, None, room=room, faster=8.0)
    try:
        async with rehearsal.connected():
            assert await rehearsal.run(lambda: bool(rehearsal.notes("ready")), longest_s=20)
            yield server, rehearsal
    finally:
        keeping.cancel()
        await server.stop()


def pid_of(server: EmbeddedServer) -> int:
    assert server._process is not None
    return server._process.pid


def recogniser_of(server: EmbeddedServer) -> int:
    pid = pid_of(server)
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def ask(rehearsal: Rehearsal) -> None:
    rehearsal.post(ButtonPressed())
    await rehearsal.run_for(0.5)
    rehearsal.talker.say(normalised(synthesize("what time is it", "rms"), -24.0))
    thinking = lambda: rehearsal.speaker.state is not State.LISTENING  # noqa: E731
    assert await rehearsal.run(thinking, longest_s=20)


def loudest_since(rehearsal: Rehearsal, at_s: float) -> int:
    return int(np.abs(rehearsal.recording.loudspeaker[int(at_s * RATE_HZ) :].astype(int)).max())


async def is_answered(rehearsal: Rehearsal) -> None:
    speaks = lambda: rehearsal.speaker.state is State.SPEAKING  # noqa: E731
    assert await rehearsal.run(speaks, longest_s=20)
    idle = lambda: rehearsal.speaker.state is State.IDLE  # noqa: E731
    assert await rehearsal.run(idle, longest_s=20)


def test_turn_with_a_frozen_server_ends_audibly(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with speaker() as (server, rehearsal):
            os.kill(pid_of(server), signal.SIGSTOP)
            await ask(rehearsal)
            asked_s = rehearsal.card.now
            idle = lambda: rehearsal.speaker.state is State.IDLE  # noqa: E731
            assert await rehearsal.run(idle, longest_s=25)
            await rehearsal.run_for(1.0)
            assert loudest_since(rehearsal, asked_s) > 500  # the sorry tone
            again = lambda: len(rehearsal.notes("ready")) == 2  # noqa: E731
            assert await rehearsal.run(again, longest_s=60)
            await ask(rehearsal)
            await is_answered(rehearsal)

    run(scene(), within_s=120)
    told = [record.getMessage() for record in caplog.records]
    assert any("the embedded server has been frozen for 5 s" in line for line in told)
    assert not any("network" in line for line in told)


def test_turn_with_a_frozen_recogniser_is_answered() -> None:
    """The speaker repeats a failed request, and the audio is recognised again."""

    async def scene() -> None:
        async with speaker() as (server, rehearsal):
            frozen = recogniser_of(server)
            os.kill(frozen, signal.SIGSTOP)
            await ask(rehearsal)
            await is_answered(rehearsal)
            assert recogniser_of(server) != frozen
            await ask(rehearsal)
            await is_answered(rehearsal)
            troubles = [str(m.what.fields["text"]) for m in rehearsal.notes("trouble")]
            assert not any("network" in text for text in troubles)

    run(scene(), within_s=120)
