"""Plugging and unplugging of loopback cards."""

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
    """Unbind the given devices of the driver, or both, within the context."""
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
    """Unload the module within the context."""
    _unbind(DEVICES)
    try:
        _wait_until_free(DEVICES)
        _unload()
        yield
    finally:
        subprocess.run(LOAD, check=True)


def _unbind(devices: Sequence[str]) -> None:
    for device in devices:  # each returns only when no program has the card open
        subprocess.Popen(["sh", "-c", f"echo {device} >{DRIVER}/unbind"])


def _unload() -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while subprocess.run(["modprobe", "-r", "snd-aloop"], capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise AssertionError("cannot unbind: a program still has the card open")
        time.sleep(0.1)


def _wait_until_free(devices: Sequence[str]) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while any((DRIVER / device).exists() for device in devices):
        if time.monotonic() > deadline:
            raise AssertionError("a program still has a removed card open")
        time.sleep(0.1)


def open_pcms(card: str, direction: str, device: int = 0) -> int:
    """Return the number of programs that have the device open; direction c (capture) or p."""
    folder = Path("/proc/asound") / card / f"pcm{device}{direction}"
    return sum((sub / "status").read_text().strip() != "closed" for sub in folder.glob("sub*"))
