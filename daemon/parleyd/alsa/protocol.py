"""The interface that the audio thread needs of a sound card, and a null card."""

from typing import Protocol

from parleyd.units import Frames


class SoundCard(Protocol):
    """One capture and one playback device; see `parleyd.alsa.sound_card.Card`."""

    xruns: int

    def open_capture(self) -> None: ...
    def close_capture(self) -> None: ...
    def read(self) -> Frames | None: ...
    def queued_frames(self) -> int: ...
    def write(self, frames: Frames) -> None: ...
    def drop(self) -> None: ...
    def close(self) -> None: ...


class NullCard:
    """Replaces a card that is missing or lost: captures nothing and discards all frames.

    `reason`: a message for the user: the cause and the remedy.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.xruns = 0

    def open_capture(self) -> None:
        """Do nothing."""

    def close_capture(self) -> None:
        """Do nothing."""

    def read(self) -> None:
        """Return None at once."""

    def queued_frames(self) -> int:
        """Return 0."""
        return 0

    def write(self, frames: Frames) -> None:
        """Discard the frames."""

    def drop(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
