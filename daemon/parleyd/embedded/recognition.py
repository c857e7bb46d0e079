"""What recognition makes of a user's utterance."""

import struct
from dataclasses import dataclass

LENGTH = struct.Struct("<I")
"""Head of an utterance on its way to the recogniser's process: bytes of PCM that follow."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Words of the grammar, or none when the utterance was refused."""

    words: str
    """Lower case, as the grammar writes them; empty when nothing was accepted."""

    confidence: float
    """Mean log acoustic score of a frame of the words (<= 0)."""

    failed: str = ""
    """Why the recogniser could not work at all; empty when it did."""


NO_CONFIDENCE = -99.0  # below all that is measured; finite, because JSON has no infinity

NOTHING = Heard("", NO_CONFIDENCE)
"""Silence, or speech that is no command."""
