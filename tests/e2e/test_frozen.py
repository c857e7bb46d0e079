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

from parleyd.config import TurnConfig
from parleyd.core.events import ButtonPressed
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings


@asynccontextmanager
async def speaker() -> AsyncIterator[tuple[EmbeddedServer, SimulatedSpeaker]]:
    server = EmbeddedServer()
    address = ServerAddress.embedded(await server.start())
    keeping = asyncio.create_task(server.keep_alive())
    config = msgspec.structs.replace(
        settings(), turn=TurnConfig(detection="local", follow_up_s=0.0)
    )
    room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    simulated = SimulatedSpeaker(config, address, None, room=room, faster=8.0)
    try:
        async with simulated.connected():
            assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
            yield server, simulated
    finally:
        keeping.cancel()
        await server.stop()


def pid_of(server: EmbeddedServer) -> int:
    assert server._process is not None
    return server._process.pid


def recogniser_of(server: EmbeddedServer) -> int:
    pid = pid_of(server)
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def ask(simulated: SimulatedSpeaker) -> None:
    simulated.post(ButtonPressed())
    await simulated.run_for(0.5)
    simulated.talker.say(normalised(synthesize("what time is it", "rms"), -24.0))
    thinking = lambda: simulated.speaker.state is not State.LISTENING  # noqa: E731
    assert await simulated.run(thinking, longest_s=20)


def loudest_since(simulated: SimulatedSpeaker, at_s: float) -> int:
    return int(np.abs(simulated.recording.loudspeaker[int(at_s * RATE_HZ) :].astype(int)).max())


async def is_answered(simulated: SimulatedSpeaker) -> None:
    speaks = lambda: simulated.speaker.state is State.SPEAKING  # noqa: E731
    assert await simulated.run(speaks, longest_s=20)
    idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
    assert await simulated.run(idle, longest_s=20)


def test_turn_with_a_frozen_server_ends_audibly(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with speaker() as (server, simulated):
            os.kill(pid_of(server), signal.SIGSTOP)
            await ask(simulated)
            asked_s = simulated.card.now
            idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
            assert await simulated.run(idle, longest_s=25)
            await simulated.run_for(1.0)
            assert loudest_since(simulated, asked_s) > 500  # the sorry tone
            again = lambda: len(simulated.log_events("ready")) == 2  # noqa: E731
            assert await simulated.run(again, longest_s=60)
            await ask(simulated)
            await is_answered(simulated)

    run(scene(), within_s=120)
    told = [record.getMessage() for record in caplog.records]
    assert any("the embedded server has been frozen for 5 s" in line for line in told)
    assert not any("network" in line for line in told)


def test_turn_with_a_frozen_recogniser_is_answered() -> None:
    """The speaker repeats a failed request, and the audio is recognised again."""

    async def scene() -> None:
        async with speaker() as (server, simulated):
            frozen = recogniser_of(server)
            os.kill(frozen, signal.SIGSTOP)
            await ask(simulated)
            await is_answered(simulated)
            assert recogniser_of(server) != frozen
            await ask(simulated)
            await is_answered(simulated)
            problems = [str(m.what.fields["text"]) for m in simulated.log_events("server_error")]
            assert not any("network" in text for text in problems)

    run(scene(), within_s=120)
