"""The result of recognising a user's utterance."""

import struct
from dataclasses import dataclass

LENGTH = struct.Struct("<I")
"""Header of an utterance for the recogniser's process: the number of PCM bytes that follow."""


@dataclass(frozen=True, slots=True)
class RecognitionResult:
    """Words of the grammar, or none if the utterance was rejected."""

    words: str
    """Lower case, as in the grammar; empty if nothing was accepted."""

    confidence: float
    """Of commands the log odds of the words, of answers their mean score."""

    sure: bool = False
    """There is little doubt: enough for calls that are hard to undo."""

    failed: str = ""
    """Why the recogniser failed; empty if it worked."""


NO_CONFIDENCE = -99.0  # below all measured values; finite, because JSON has no infinity

NOTHING = RecognitionResult("", NO_CONFIDENCE)
"""Silence, or speech that is not a command."""
