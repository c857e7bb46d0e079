"""Real-time priority of the threads that must not wait for other processes."""

import os

LOOP = 1
"""Of the event loop, below the audio thread.

The two share the interpreter's lock. At an ordinary priority a busy machine takes the processor
away from the loop while it holds the lock, and the audio thread waits for both:
`python -m tests.bench.device` prints the xruns under load.
"""


def ask_for(priority: int) -> str:
    """Ask for real-time scheduling of the calling thread; why it was refused, or empty.

    0 asks for ordinary scheduling. Threads and processes that it starts are ordinary ones.
    """
    policy = os.SCHED_RR if priority else os.SCHED_OTHER
    try:
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return error.strerror or str(error)
    return ""
