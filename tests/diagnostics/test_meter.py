import asyncio
import io

import numpy as np

from parleyd.config import Config
from parleyd.core.events import MicPeriod
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.diagnostics.meter import EVERY_PERIODS, Meter, line
from parleyd.hearing import ProcessedPeriod


def heard(near_end: float) -> ProcessedPeriod:
    return ProcessedPeriod(np.zeros(160, np.int16), 0.0, 0.5, False, near_end, 0.0, -35.0, -20.0)


def test_meter_line_shows_levels_and_the_user() -> None:
    speaking = line(State.SPEAKING, -19.6, heard(0.97))
    silent = line(State.SPEAKING, -19.6, heard(0.02))
    assert speaking.startswith("speaking   mic  -20 dB  echo  -20 dB  left  -35 dB")
    assert "##########.........." in speaking
    assert "user" in speaking
    assert "user" not in silent
    assert "microphone is closed" in line(State.IDLE, None, None)


def test_meter_draws_a_speaker_ten_times_a_second() -> None:
    out = io.StringIO()

    async def watch() -> None:
        speaker = SmartSpeaker(Config(), None)
        meter = Meter(speaker, asyncio.get_running_loop(), out)
        for number in range(3 * EVERY_PERIODS):
            period = MicPeriod(np.full(160, 300, np.int16), 0)
            meter.observe(period, speaker.tick(period, number / 100))
        await asyncio.sleep(0)

    asyncio.run(watch())
    assert out.getvalue().count("\r") == 3
    assert "idle" in out.getvalue()
