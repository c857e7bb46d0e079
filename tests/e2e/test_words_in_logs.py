"""With every logger of the process at debug level, on real sockets, logs contain no transcript."""

import logging

import msgspec
import pytest

from parleyd.app.effect_log import write_log_event
from parleyd.config import LogConfig, RealtimeConfig
from parleyd.core.events import ButtonPressed, LogEvent
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.host.systemd import FieldsFormatter
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from tests.e2e.rehearsing import RATE_HZ, run, settings

ASKED, ANSWER = "what is the date", "Today is"


async def the_date(transcripts: bool) -> SimulatedSpeaker:
    """Ask the embedded server for the date, and wait for the end of the answer."""
    config = msgspec.structs.replace(
        settings(),
        log=LogConfig(level="debug", transcripts=transcripts),
        realtime=RealtimeConfig(server="embedded", transcription_model="any"),
    )
    server = EmbeddedServer()
    address = ServerAddress.embedded(await server.start())
    try:
        room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
        simulated = SimulatedSpeaker(config, address, None, room=room, faster=8.0)
        async with simulated.connected():
            assert await simulated.run(lambda: bool(simulated.log_events("ready")), longest_s=20)
            simulated.post(ButtonPressed())
            await simulated.run_for(0.5)
            simulated.talker.say(normalised(synthesize(ASKED, "rms"), -24.0))
            speaks = lambda: simulated.speaker.state is State.SPEAKING  # noqa: E731
            assert await simulated.run(speaks, longest_s=20)
            idle = lambda: simulated.speaker.state is State.IDLE  # noqa: E731
            assert await simulated.run(idle, longest_s=20)
    finally:
        await server.stop()
    return simulated


@pytest.mark.parametrize("transcripts", [True, False])
def test_log_has_transcripts_only_if_configured(
    transcripts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        simulated = await the_date(transcripts)
        for moment in simulated.moments:
            if isinstance(moment.what, LogEvent):
                write_log_event(moment.what)

    with caplog.at_level(logging.DEBUG):
        run(scene(), within_s=120)
    lines = [FieldsFormatter("%(message)s").format(record) for record in caplog.records]
    assert any(line.startswith("turn ") for line in lines)
    for words in (ASKED, ANSWER):
        assert any(words in line for line in lines) == transcripts
