"""What the heartbeat needs of a sound card, and the card that is not there."""

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


class NoCard:
    """Stands where a card could not be opened or was lost: hears nothing, plays nothing.

    `reason`: for people, what happened and what to do.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.xruns = 0

    def open_capture(self) -> None:
        """There is nothing to open."""

    def close_capture(self) -> None:
        """There is nothing to close."""

    def read(self) -> None:
        """Nothing comes; returns at once."""

    def queued_frames(self) -> int:
        """Nothing waits."""
        return 0

    def write(self, frames: Frames) -> None:
        """Thrown away."""

    def drop(self) -> None:
        """There is nothing to drop."""

    def close(self) -> None:
        """There is nothing to close."""
