"""A sound server with a room that has noise, as every room has, and with controls of its mixer."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from pulse_rig import PulseRig

_RATE_HZ = 16_000
_LOOP_S = 120


class MixedRig(PulseRig):
    """The microphone has a control, too: ``amixer -D mic sset Capture 80% cap``."""

    alsa_conf: ClassVar[str] = (
        f'{PulseRig.alsa_conf}ctl.mic {{{{ type pulse server "unix:{{run}}/native" '
        "source room.monitor }}\n"
    )


@contextlib.contextmanager
def noise(folder: Path, dbfs: float) -> Iterator[None]:
    """Play noise in the room, for at most two minutes."""
    drawn = np.random.default_rng(1).normal(0, 32768 * 10 ** (dbfs / 20), _RATE_HZ * _LOOP_S)
    path = folder / f"noise{dbfs}.raw"
    path.write_bytes(np.clip(np.rint(drawn), -32768, 32767).astype("<i2").tobytes())
    with path.open("rb") as file:
        command = ["pacat", "--raw", f"--rate={_RATE_HZ}", "--channels=1", "--format=s16le"]
        player = subprocess.Popen([*command, "-d", "room"], stdin=file)
    try:
        yield
    finally:
        player.kill()
        player.wait()
