"""End a child process with its parent, even if the child is frozen when the parent dies."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends.

    A child that reads its standard input detects the parent's end itself. A frozen child does
    not, and would keep its memory and sockets.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died in between, so no signal follows
        os.kill(os.getpid(), signal.SIGKILL)
