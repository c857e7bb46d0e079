"""Identifiable sounds: every played frame belongs to one position of one sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from parleyd.playback import cues, playout
from parleyd.units import SERVER_RATE_HZ, Frames

LONGEST_S = 20
_POOL = np.random.default_rng(20).integers(-4096, 4096, 120 * SERVER_RATE_HZ) * 2 + 1
_POOL = _POOL.astype(np.int16)  # odd values: 0 means silence, so no frame of a sound is 0


@dataclass(eq=False, slots=True)
class Sound:
    """Unique noise with the frames sent, written and heard of it so far, at 24 kHz."""

    name: str
    number: int
    length: int
    answer: int = 0
    """Number of its response; 0 for a tone, which may be played many times."""
    item: int = 0
    sent: int = 0
    """Frames that have reached the core."""
    written: int = 0
    heard: int = 0
    done_s: float | None = None
    """When the core received the end of the sound."""
    odd_byte: int = 0
    """1 if half a frame beyond `sent` has reached the core."""
    known: Frames | None = None
    """The frames of a sound that is not unique noise."""
    _offset: int = field(init=False, default=0)
    _key: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._offset = self.number * 104_729 % (len(_POOL) - LONGEST_S * SERVER_RATE_HZ)
        self._key = self.number * 40_503 % 4_096 * 2

    @property
    def again(self) -> bool:
        """Whether the sound repeats an earlier reply."""
        return self.known is not None

    def frames(self, start: int, end: int) -> Frames:
        """Return the frames between two positions, at most to the end of the sound."""
        end = min(end, self.length)
        if self.known is not None:
            return self.known[start:end]
        piece: Frames = _POOL[self._offset + start : self._offset + end] ^ np.int16(self._key)
        return piece


def tones() -> dict[str, Sound]:
    """Return stand-ins for the earcons, of real length, numbered below all answers."""
    lengths = {str(cue): len(sound()) for cue, sound in cues.SOUNDS.items()}
    return {
        name: Sound(name, number, length, sent=length)
        for number, (name, length) in enumerate(lengths.items(), start=1)
    }


@contextmanager
def readable(ours: dict[str, Sound]) -> Iterator[None]:
    """Make played frames identifiable within this context.

    Earcons become unique noise like answers. Volume, duck and fades keep their state but leave
    the frames unchanged.
    """
    apply = playout._Gain.apply

    def unchanged(gain: playout._Gain, frames: Frames) -> Frames:
        apply(gain, frames)
        return frames

    marked = {cue: ours[cue].frames(0, ours[cue].length) for cue in cues.SOUNDS}
    with (
        patch.dict(cues.SOUNDS, {cue: lambda f=f: f for cue, f in marked.items()}),
        patch.object(playout._Gain, "apply", unchanged),
    ):
        yield
