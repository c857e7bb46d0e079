"""A speaker in a simulated room, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import numpy as np

from parleyd.config import AudioConfig, Config, TurnConfig
from parleyd.simulation.acoustics import Room
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.fault_server import FaultServer, tone_hz
from tests.silent_cues import silent

RATE_HZ: Final = 48_000


def settings(**turn: Any) -> Config:
    """Return settings with local turns and no chime, so that the test controls all events."""
    base = Config(
        audio=AudioConfig(playback_rate_hz=RATE_HZ, volume=100),
        turn=TurnConfig(**{"detection": "local", "follow_up_s": 0.0, "silence_ms": 400, **turn}),
    )
    return msgspec.structs.replace(base, earcons=silent(base.earcons))


@asynccontextmanager
async def speaker_at(
    server: FaultServer, config: Config | None = None, *, echo_gain_db: float = -30.0
) -> AsyncIterator[SimulatedSpeaker]:
    """Run a connected speaker with a ready session."""
    room = Room(seed=3, echo_gain_db=echo_gain_db, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
    simulated = SimulatedSpeaker(config or settings(), server.address, None, room=room, faster=50.0)
    async with simulated.connected():
        assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
        yield simulated


def tones_heard(simulated: SimulatedSpeaker, *, after_s: float = 0.0) -> set[int]:
    """Return the numbers of the responses whose tone is in the loudspeaker's recording."""
    played = simulated.recording.loudspeaker[int(after_s * RATE_HZ) :].astype(np.float64)
    block = RATE_HZ // 50
    heard = set()
    for start in range(0, len(played) - block, block):
        piece = played[start : start + block]
        if np.sqrt(np.mean(piece**2)) < 300:
            continue
        window = np.hanning(block)
        time_s = np.arange(block) / RATE_HZ
        power = {
            number: abs(np.sum(piece * window * np.exp(-2j * np.pi * tone_hz(number) * time_s)))
            for number in range(1, 13)
        }
        heard.add(max(power, key=power.__getitem__))
    return heard


def run(coroutine: Coroutine[Any, Any, None], within_s: float = 60.0) -> None:
    """Run a test's coroutine; a hang fails after `within_s`."""

    async def bounded() -> None:
        async with asyncio.timeout(within_s):
            await coroutine

    asyncio.run(bounded())
