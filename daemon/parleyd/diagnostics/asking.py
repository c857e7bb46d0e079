"""Ask another program of the system, for a limited time."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from parleyd.system.child_environment import child_environment

ANSWER_S = 10.0  # systemctl is slow on a Pi that is still booting


class NoAnswer(Exception):
    """The program is missing, failed, or took too long; the text says which, in one line."""


def answer(
    command: Sequence[str],
    *,
    allowed_s: float = ANSWER_S,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Return the standard output. Never blocks for longer, also if the program's children hang.

    Raises `NoAnswer`. Its text holds the program's first line of errors, never its output.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=child_environment(environ),
        )
    except OSError as error:
        raise NoAnswer(f"{command[0]} cannot be run: {error.strerror}") from None
    try:
        told, wrong = process.communicate(timeout=allowed_s)
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{command[0]} does not answer within {allowed_s:g} s") from None
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # its children would keep the pipes open
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if process.returncode != 0:
        reason = " ".join(wrong.decode("utf-8", "replace").split())[:200]
        raise NoAnswer(f"{command[0]} fails: {reason or f'status {process.returncode}'}")
    return told.decode("utf-8", "replace")
