"""The service manager's watchdog: fed only while the audio thread and the event loop both run."""

import asyncio
import logging
import time

from parleyd.app.audio_thread import AudioThread
from parleyd.host.systemd import Notifier

STUCK_S = 2.0  # an audio thread without a period for this long is stuck: 200 periods

log = logging.getLogger("parleyd")


async def feed_watchdog(notifier: Notifier, audio_thread: AudioThread) -> None:
    """Feed until cancelled; returns at once without a watchdog. Runs on the event loop."""
    interval_s = notifier.watchdog_interval_s()
    while interval_s is not None:
        if time.monotonic() - audio_thread.last_period < STUCK_S:
            notifier.watchdog()
        else:
            log.error("the audio thread has not moved for %.0f s", STUCK_S)
        await asyncio.sleep(min(interval_s, 1.0))
