"""Plays the pattern of what is shown on a light, only as often as it changes."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from datetime import time as time_of_day

from parleyd.lights import LightOutput
from parleyd.lights.dimming import Dimming
from parleyd.lights.patterns import animated, colour
from parleyd.states import Shown

FRAME_S = 1 / 50  # the fastest pattern blinks at 5 Hz; a swell has no visible steps
STILL_S = 10.0  # between frames of a light that stays as it is, until night or day has come

log = logging.getLogger(__name__)


class Player:
    """Owns a light output. Everything is called on the event loop's thread."""

    def __init__(
        self,
        output: LightOutput,
        dimming: Dimming,
        clock: Callable[[], float] = time.monotonic,
        local: Callable[[], time_of_day] = lambda: datetime.now().time(),
    ) -> None:
        self._output = output
        self._dimming = dimming
        self._clock, self._local = clock, local
        self._shown = Shown.IDLE
        self._since = clock()
        self._changed = asyncio.Event()

    def show(self, shown: Shown) -> None:
        """Show this from now on; showing the same again does not restart its pattern."""
        if shown != self._shown:
            self._shown, self._since = shown, self._clock()
            self._changed.set()

    async def run(self) -> None:
        """Play until cancelled, then go dark. Lights that fail are logged and left dark."""
        try:
            try:
                while True:
                    self._changed.clear()
                    light = colour(self._shown, self._clock(), self._since)
                    self._output.show(self._dimming.dimmed(light, self._local()))
                    await self._next_frame()
            finally:
                self._output.close()
        except Exception:  # the rim of the task
            log.exception("the lights failed, Parley goes on without")

    async def _next_frame(self) -> None:
        """Until a frame has passed or the state changes."""
        try:
            async with asyncio.timeout(FRAME_S if animated(self._shown) else STILL_S):
                await self._changed.wait()
        except TimeoutError:
            pass
