"""Whether the microphone must be closed, by the mute switch or because the user asked for it."""

from parleyd.host.buttons import Buttons
from parleyd.skills.mute import Mute


class MicrophoneGate:
    """Combines the switch and the mute skill; the switch has priority.

    Both are read at each call, so no message about them can be lost or late. The switch
    counts by its level alone: a move during a reload, which no callback reports, is obeyed.
    Any thread; does not block.
    """

    def __init__(self, buttons: Buttons, mute: Mute) -> None:
        self._buttons, self._mute = buttons, mute

    @property
    def closed(self) -> bool:
        """Whether the microphone must be closed now."""
        return self.closed_by_switch or self._mute.closed_by_voice

    @property
    def closed_by_switch(self) -> bool:
        """Whether the switch closes it, or cannot be read."""
        return self._buttons.muted

    @property
    def reason(self) -> str:
        """Why it is closed, for people; empty where the position of the switch says it."""
        return self._buttons.mute_trouble or ("" if self._buttons.muted else self._mute.reason)
