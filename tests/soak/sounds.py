"""Sounds that tell what they are: every frame that is played belongs to one place of one sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from parleyd.playback import earcons, playout
from parleyd.units import SERVER_RATE_HZ, Frames

LONGEST_S = 20
_OURS = ("chime", "low_tone", "sorry", "alarm")
_POOL = np.random.default_rng(20).integers(-4096, 4096, 120 * SERVER_RATE_HZ) * 2 + 1
_POOL = _POOL.astype(np.int16)  # odd: no frame of a sound is 0, which is silence


@dataclass(eq=False, slots=True)
class Sound:
    """Noise of its own; what was sent, written and heard of it, in frames at 24 kHz."""

    name: str
    number: int
    length: int
    answer: int = 0
    """The response that it belongs to; 0 for a tone, which may be played many times."""
    item: int = 0
    sent: int = 0
    """So much has reached the core."""
    written: int = 0
    heard: int = 0
    done_s: float | None = None
    """When the core was told that no more of it comes."""
    odd_byte: int = 0
    """Half a frame has reached the core beyond `sent`."""
    known: Frames | None = None
    """For a sound that is not noise of its own."""
    _offset: int = field(init=False, default=0)
    _key: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._offset = self.number * 104_729 % (len(_POOL) - LONGEST_S * SERVER_RATE_HZ)
        self._key = self.number * 40_503 % 4_096 * 2

    @property
    def again(self) -> bool:
        """It repeats what was heard."""
        return self.known is not None

    def frames(self, start: int, end: int) -> Frames:
        """The sound between two places, as far as it goes."""
        end = min(end, self.length)
        if self.known is not None:
            return self.known[start:end]
        piece: Frames = _POOL[self._offset + start : self._offset + end] ^ np.int16(self._key)
        return piece


def tones() -> dict[str, Sound]:
    """Our own sounds, as long as the real ones, numbered below all answers."""
    lengths = {name: len(getattr(earcons, name)()) for name in _OURS}
    return {
        name: Sound(name, number, length, sent=length)
        for number, (name, length) in enumerate(lengths.items(), start=1)
    }


@contextmanager
def readable(ours: dict[str, Sound]) -> Iterator[None]:
    """While this is open, what the core plays can be read: the earcons are marked like answers,
    and volume, duck and fades move as ever but leave the frames as they are."""
    apply = playout._Gain.apply

    def unchanged(gain: playout._Gain, frames: Frames) -> Frames:
        apply(gain, frames)
        return frames

    marked = {name: sound.frames(0, sound.length) for name, sound in ours.items()}
    with (
        patch.multiple(earcons, **{n: lambda f=f: f for n, f in marked.items()}),  # type: ignore[call-overload]
        patch.object(playout._Gain, "apply", unchanged),
    ):
        yield
