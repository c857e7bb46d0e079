"""Real-time priority for the threads that watch the service."""

import contextlib
import os

PRIORITY = 40  # above Parley's 20, so that it is measured and not the bench


def come_first() -> None:
    """Give the calling thread a real-time priority, if that is allowed.

    Only for work of microseconds: computation at this priority disturbs the measurement.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
