"""What a calibration says: sentences, and values for the configuration. Pure."""

from enum import StrEnum

import msgspec

Value = int | float | str


class Grade(StrEnum):
    """How urgent a verdict is."""

    GOOD = "good"
    BETTER = "better"
    """It works, and could work better."""
    WRONG = "wrong"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One finding for the owner."""

    name: str
    grade: Grade
    text: str
    remedy: str = ""


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the configuration that suits the room better."""

    key: str
    """Such as ``audio.volume``."""
    now: Value
    value: Value
    because: str
    """The name of the verdict."""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the configuration and of the card that the verdicts need."""

    volume: int = 70
    """In percent, as it is used now."""
    configured_volume: int = 70
    sensitivity: float = 0.5
    lead_ms: int = 40
    hardware_canceller: bool = False
    word: str = "hey jarvis"
    middle_cutoff: float | None = None
    """Of the wake-word engine at a sensitivity of 0.5; None if it has no score."""
    capture_device: str = "default"
    """The control device of the microphone's card, for amixer."""
    playback_device: str = "default"
    gains: tuple[str, ...] = ()
    """The names of the controls of the microphone's level."""
    controls: tuple[str, ...] = ()
    """The names of the other controls of its card."""

    def gain_command(self, setting: str) -> str:
        """The command that sets the level of the microphone; else the way to find it."""
        if self.gains:
            return f"amixer -D {self.capture_device} sset '{self.gains[0]}' {setting}"
        return self._search

    def switch_command(self, *names: str) -> str:
        """The command that turns the first of these controls off; else the way to find it."""
        for control in self.controls:
            if any(name in control.lower() for name in names):
                return f"amixer -D {self.capture_device} sset '{control}' off"
        return self._search

    @property
    def _search(self) -> str:
        return f"look for it in: alsamixer -D {self.capture_device} -V capture"
