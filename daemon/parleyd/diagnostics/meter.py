"""`parley run --meter`: one line, ten times a second, with the values of the hearing."""

import asyncio
import sys
from typing import TextIO

from parleyd.audio import level_dbfs
from parleyd.core.events import MicPeriod, TickResult
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import State
from parleyd.hearing import ProcessedPeriod
from parleyd.hearing.barge_in import THRESHOLD
from parleyd.printable import printable

EVERY_PERIODS = 10
_QUIETEST_DBFS = -70.0
_WIDTH = 20


class Meter:
    """Shows a speaker's hearing; the audio thread calls `observe`, the event loop draws."""

    def __init__(
        self, speaker: SmartSpeaker, loop: asyncio.AbstractEventLoop, out: TextIO = sys.stderr
    ) -> None:
        self._speaker = speaker
        self._loop = loop
        self._out = out
        self._periods = 0

    def observe(self, period: MicPeriod, step: TickResult) -> None:
        """Count a period of the audio thread; does not block."""
        self._periods += 1
        if self._periods % EVERY_PERIODS == 0:
            mic_dbfs = None if period.frames is None else level_dbfs(period.frames)
            row = line(self._speaker.state, mic_dbfs, self._speaker.readings().heard)
            self._loop.call_soon_threadsafe(self._draw, row)

    def _draw(self, row: str) -> None:
        self._out.write(f"\r{printable(row)}")
        self._out.flush()


def line(state: State, mic_dbfs: float | None, heard: ProcessedPeriod | None) -> str:
    """Return the levels of microphone, echo and remainder, and the detectors' values."""
    if heard is None or mic_dbfs is None:
        return f"{state:<10} the microphone is closed".ljust(100)
    user = "user " if heard.near_end > THRESHOLD else "     "
    echo = f"{heard.echo_dbfs:4.0f}" if heard.echo_dbfs > _QUIETEST_DBFS else "   -"
    return (
        f"{state:<10} mic {mic_dbfs:4.0f} dB  echo {echo} dB  left {heard.level_dbfs:4.0f} dB "
        f"{_bar(heard.level_dbfs)} {user} near end {heard.near_end:.2f}  voice {heard.voice:.2f}"
    )


def _bar(dbfs: float) -> str:
    full = round(_WIDTH * (1 - max(_QUIETEST_DBFS, min(dbfs, 0.0)) / _QUIETEST_DBFS))
    return ("#" * full).ljust(_WIDTH, ".")
