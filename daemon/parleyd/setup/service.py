"""The service, as far as the questions need it: it holds the sound card while it runs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parleyd.system.child_environment import child_environment

UNIT = "parleyd"
SYSTEMD = Path("/run/systemd/system")  # exists if systemd is PID 1, sd_booted(3)
WITHIN_S = 90.0  # a start on a Pi that is busy


@contextmanager
def stopped() -> Iterator[None]:
    """Stop the service if it runs, so that the card is free, and start it again. Blocks."""
    if not (SYSTEMD.exists() and _systemctl("is-active", "--quiet", UNIT)):
        yield
        return
    try:
        print("Parley is stopped while the card is tried.", flush=True)
        _systemctl("stop", UNIT)
        yield
    finally:
        _systemctl("start", "--no-block", UNIT)


def restart() -> bool:
    """Start the service with the files as they are now; return whether it runs. Blocks."""
    if not SYSTEMD.exists():
        return True
    _systemctl("daemon-reload")
    _systemctl("reset-failed", UNIT)  # it may have reached the limit of starts
    return _systemctl("restart", UNIT)


def _systemctl(*arguments: str) -> bool:
    try:
        done = subprocess.run(
            ["systemctl", *arguments],
            capture_output=True,
            timeout=WITHIN_S,
            env=child_environment(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
