"""Cues that would sound beside what a test listens for."""

import msgspec

from parleyd.config import EarconsConfig


def silent(base: EarconsConfig) -> EarconsConfig:
    """Return the cues without those of turns and of the mute switch; the others stay."""
    return msgspec.structs.replace(base, wake="", follow_up="", muted="", unmuted="")
