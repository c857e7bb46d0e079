"""Play the pattern of the current state on a light; write only as often as it changes."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from datetime import time as time_of_day

from parleyd.core.states import Indication
from parleyd.errors import LightsError
from parleyd.lights import LightOutput
from parleyd.lights.dimming import Dimming
from parleyd.lights.patterns import animated, colour

FRAME_S = 1 / 50  # the fastest pattern blinks at 5 Hz, and a pulse has no visible steps
RETRY_S = 0.5  # the first wait for a failed or busy output, doubled up to ...
MOST_RETRY_S = 8.0  # ... this limit: users miss the light, but nothing else depends on it
STILL_S = 10.0  # between frames of a constant light, which must still follow night and day

log = logging.getLogger(__name__)


class LightPlayer:
    """Owns a light output. Call all methods on the event loop's thread.

    With `reopen`, a failed or missing output is opened again until it works, because the
    light shows that the microphone is closed.
    """

    def __init__(
        self,
        output: LightOutput | None,
        dimming: Dimming,
        clock: Callable[[], float] = time.monotonic,
        local: Callable[[], time_of_day] = lambda: datetime.now().time(),
        reopen: Callable[[], LightOutput | None] | None = None,
    ) -> None:
        self._output, self._reopen = output, reopen
        self._dimming = dimming
        self._clock, self._local = clock, local
        self._indication = Indication.IDLE
        self._since = clock()
        self._changed = asyncio.Event()

    def show(self, indication: Indication) -> None:
        """Show this state from now on; showing the same state again does not restart it."""
        if indication != self._indication:
            self._indication, self._since = indication, self._clock()
            self._changed.set()

    async def run(self) -> None:
        """Play until cancelled, then switch off. A failure is logged once with its traceback."""
        while self._output is not None or self._reopen is not None:
            if self._output is None:
                self._output = await self._opened_again()
            try:
                await self._play(self._output)
            except Exception:  # the rim of the task
                log.exception("the lights failed; Parley continues without them")
            self._output = None

    async def _play(self, output: LightOutput) -> None:
        try:
            while True:
                self._changed.clear()
                light = colour(self._indication, self._clock(), self._since)
                output.show(self._dimming.dimmed(light, self._local()))
                await self._next_frame()
        finally:
            output.close()

    async def _opened_again(self) -> LightOutput:
        """Wait until the output can be opened. The caller has logged the failure already."""
        pause_s = RETRY_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MOST_RETRY_S)
            try:
                output = self._reopen() if self._reopen is not None else None
            except (LightsError, OSError) as error:
                log.debug("still no lights: %s", error)
                continue
            if output is not None:
                log.info("the lights work again")
                return output

    async def _next_frame(self) -> None:
        """Wait for the end of the frame or a change of the state."""
        try:
            async with asyncio.timeout(FRAME_S if animated(self._indication) else STILL_S):
                await self._changed.wait()
        except TimeoutError:
            pass
