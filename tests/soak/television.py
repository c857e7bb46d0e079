"""A television in the room of the real-time hour: voices and music for other ears."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from parleyd.audio import float_to_int16
from parleyd.simulation.clips import normalised
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing import worker
from tests.bench.hearing.material import Material
from tests.bench.hearing.room_voices import room_voices

UNDER_USER_DB = (10.0, 15.0)  # drawn for each part of the programme
_PART_S = 240
_WITHIN_S = 5.0


def programme(corpus: Path | None, user_dbfs: float, seconds: float, seed: int) -> Iterator[Frames]:
    """Yield parts of a programme, 16 kHz mono, together at least `seconds` long.

    Without a corpus flite and plucked chords perform. Each part has another room, another
    place in it, and an active level 10 to 15 dB below `user_dbfs`.
    """
    material = worker.load(corpus, "all")
    random = np.random.default_rng(seed)
    for _ in range(-(-round(seconds) // _PART_S)):
        yield _part(material, user_dbfs - random.uniform(*UNDER_USER_DB), random)


def _part(material: Material, dbfs: float, random: np.random.Generator) -> Frames:
    room = material.rooms[int(random.integers(len(material.rooms)))]
    sound = room_voices("tv", material, room, random, _PART_S * MIC_RATE_HZ)
    return normalised(float_to_int16(0.5 * sound / np.max(np.abs(sound))), dbfs)


@contextmanager
def switched_on(parts: Iterator[Frames], folder: Path) -> Iterator[None]:
    """Play the programme in the room of `PulseRig` within this context; `folder` holds it."""
    path = folder / "programme.raw"
    with path.open("wb") as file:
        for part in parts:
            file.write(part.tobytes())
    command = ["pacat", "--raw", "--rate=16000", "--channels=1", "--format=s16le", "-d", "room"]
    player = subprocess.Popen([*command, str(path)])
    try:
        yield
        if player.poll() is not None:
            raise RuntimeError("the television went off: the figures are of a quiet room")
    finally:
        player.kill()
        player.wait(_WITHIN_S)
