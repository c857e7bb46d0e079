"""With every logger of the process at debug level, on real sockets, logs contain no transcript."""

import logging

import msgspec
import pytest

from parleyd.app.effect_log import log_note
from parleyd.config import Log, Realtime
from parleyd.core.events import ButtonPressed, Note
from parleyd.core.states import State
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.host.systemd import FieldsFormatter
from parleyd.realtime.connection import Address
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import normalised, synthesize
from parleyd.simulation.simulated_speaker import Rehearsal
from tests.e2e.rehearsing import RATE_HZ, run, settings

ASKED, ANSWER = "what is the date", "Today is"


async def the_date(transcripts: bool) -> Rehearsal:
    """Ask the embedded server for the date, and wait for the end of the answer."""
    config = msgspec.structs.replace(
        settings(),
        log=Log(level="debug", transcripts=transcripts),
        realtime=Realtime(server="embedded", transcription_model="any"),
    )
    server = EmbeddedServer()
    address = Address.embedded(await server.start())
    try:
        room = Room(seed=3, echo_gain_db=-30.0, noise_dbfs=-75.0, loudspeaker_rate_hz=RATE_HZ)
        rehearsal = Rehearsal(config, address, None, room=room, faster=8.0)
        async with rehearsal.connected():
            assert await rehearsal.run(lambda: bool(rehearsal.notes("ready")), longest_s=20)
            rehearsal.post(ButtonPressed())
            await rehearsal.run_for(0.5)
            rehearsal.talker.say(normalised(synthesize(ASKED, "rms"), -24.0))
            speaks = lambda: rehearsal.speaker.state is State.SPEAKING  # noqa: E731
            assert await rehearsal.run(speaks, longest_s=20)
            idle = lambda: rehearsal.speaker.state is State.IDLE  # noqa: E731
            assert await rehearsal.run(idle, longest_s=20)
    finally:
        await server.stop()
    return rehearsal


@pytest.mark.parametrize("transcripts", [True, False])
def test_log_has_transcripts_only_if_configured(
    transcripts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        rehearsal = await the_date(transcripts)
        for moment in rehearsal.moments:
            if isinstance(moment.what, Note):
                log_note(moment.what)

    with caplog.at_level(logging.DEBUG):
        run(scene(), within_s=120)
    lines = [FieldsFormatter("%(message)s").format(record) for record in caplog.records]
    assert any(line.startswith("turn ") for line in lines)
    for words in (ASKED, ANSWER):
        assert any(words in line for line in lines) == transcripts
