"""The service, as far as the questions need it: it holds the sound card while it runs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parleyd.errors import ParleyError
from parleyd.system.child_environment import child_environment

UNIT = "parleyd"
SYSTEMD = Path("/run/systemd/system")  # exists if systemd is PID 1, sd_booted(3)
WITHIN_S = 90.0  # a start on a Pi that is busy


@contextmanager
def stopped() -> Iterator[None]:
    """Stop the service if it runs, so that the card is free, and start it again. Blocks."""
    runs = SYSTEMD.exists() and _systemctl("is-active", "--quiet", UNIT)
    if runs:
        _systemctl("stop", UNIT)
    try:
        yield
    finally:
        if runs:
            _systemctl("start", "--no-block", UNIT)


def restart() -> None:
    """Start the service with the files as they are now. Blocks. Raises `ParleyError`."""
    if not SYSTEMD.exists():
        return
    _systemctl("daemon-reload")
    _systemctl("reset-failed", UNIT)  # it may have reached the limit of starts
    if not _systemctl("restart", UNIT):
        raise ParleyError(f"{UNIT} does not start: see journalctl -u {UNIT} -n 50")


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
