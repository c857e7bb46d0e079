"""A child that ends with its parent, even if it stands still when the parent dies."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends.

    A child that reads its standard input notices its end by itself; a frozen one does not,
    and would keep its memory and its sockets.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between, and the signal will not come
        os.kill(os.getpid(), signal.SIGKILL)
