"""Reports when the quiet hours of the home begin and end."""

import asyncio
from collections.abc import Callable
from datetime import datetime, time

from parleyd.system.daily_span import DailySpan

LOOK_S = 5.0  # between looks at the clock, which may be set at any time


class QuietHours:
    """Looks at the clock on the event loop, and calls `changed` with each change."""

    def __init__(self, span: str, changed: Callable[[bool], None]) -> None:
        self._span, self._changed = DailySpan(span), changed
        self._quiet = False

    def look(self, local: time) -> None:
        """Call it if this local time differs from the last one in being quiet."""
        quiet = self._span.holds(local)
        if quiet is not self._quiet:
            self._quiet = quiet
            self._changed(quiet)

    async def run(self) -> None:
        """Follow the clock until cancelled."""
        while True:
            self.look(datetime.now().time())
            await asyncio.sleep(LOOK_S)
