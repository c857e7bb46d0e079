"""The cues: which sound stands for which event, and how loud."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from parleyd import config
from parleyd.audio import db_to_gain, round_to_int16
from parleyd.playback import earcons
from parleyd.units import SILENCE, Frames

BUILT_IN = "default"


class Cue(StrEnum):
    """What a cue says; the key of `[earcons]` has the same name."""

    WAKE = "wake"
    HEARD = "heard"
    FOLLOW_UP = "follow_up"
    ENDED = "ended"
    ERROR = "error"
    OFFLINE = "offline"
    MUTED = "muted"
    UNMUTED = "unmuted"
    TIMER = "timer"


SOUNDS: dict[Cue, Callable[[], Frames]] = {
    Cue.WAKE: earcons.chime,
    Cue.HEARD: earcons.heard,
    Cue.FOLLOW_UP: earcons.follow_up,
    Cue.ENDED: earcons.low_tone,
    Cue.ERROR: earcons.sorry,
    Cue.OFFLINE: earcons.offline,
    Cue.MUTED: earcons.muted,
    Cue.UNMUTED: earcons.unmuted,
    Cue.TIMER: earcons.alarm,
}
"""Parley's own sounds."""


class Cues:
    """The sounds of one configuration; mono int16 at 24 kHz."""

    def __init__(
        self, settings: config.EarconsConfig, files: Mapping[Cue, Frames] | None = None
    ) -> None:
        """`files`: the owner's sounds, in place of those that `settings` names."""
        gain = db_to_gain(settings.level_db)
        self._sounds: dict[Cue, Frames] = {}
        for cue, built_in in SOUNDS.items():
            if not getattr(settings, cue):
                self._sounds[cue] = SILENCE
                continue
            sound = (files or {}).get(cue, built_in())
            louder = gain if cue is not Cue.TIMER else 1.0  # an alarm has its volume from [audio]
            self._sounds[cue] = sound if louder == 1.0 else round_to_int16(sound * louder)

    def sound(self, cue: Cue) -> Frames:
        """Return the sound; no frames if the cue is silent."""
        return self._sounds[cue]
