"""Loopback cards that come and go, as if they were plugged in and pulled out."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
DEVICES = ("snd_aloop.0", "snd_aloop.1")
LOAD = ["modprobe", "snd-aloop", "enable=1,1", "index=0,1", "id=Speaker,Mic", "pcm_substreams=1,1"]
GONE_WITHIN_S = 20.0


@contextlib.contextmanager
def unplugged(*devices: str) -> Iterator[None]:
    """Within it these devices of the driver, or both, are gone."""
    devices = devices or DEVICES
    _unbind(devices)
    try:
        yield
    finally:
        _wait_until_free(devices)
        for device in devices:
            (DRIVER / "bind").write_text(device)


@contextlib.contextmanager
def unloaded() -> Iterator[None]:
    """Within it the module is not there at all."""
    _unbind(DEVICES)
    try:
        _wait_until_free(DEVICES)
        _unload()
        yield
    finally:
        subprocess.run(LOAD, check=True)


def _unbind(devices: Sequence[str]) -> None:
    for device in devices:  # each returns only when nobody has the card open any more
        subprocess.Popen(["sh", "-c", f"echo {device} >{DRIVER}/unbind"])


def _unload() -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while subprocess.run(["modprobe", "-r", "snd-aloop"], capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise AssertionError("somebody still has a card open whose driver is to go")
        time.sleep(0.1)


def _wait_until_free(devices: Sequence[str]) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while any((DRIVER / device).exists() for device in devices):
        if time.monotonic() > deadline:
            raise AssertionError("somebody still has a card open that is gone")
        time.sleep(0.1)


def open_pcms(card: str, direction: str, device: int = 0) -> int:
    """How many programs have this device of a card open; direction c (capture) or p."""
    folder = Path("/proc/asound") / card / f"pcm{device}{direction}"
    return sum((sub / "status").read_text().strip() != "closed" for sub in folder.glob("sub*"))
