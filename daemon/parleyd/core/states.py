"""The states of a turn, and the indications of logs, LEDs and `systemctl status`."""

from enum import StrEnum

from parleyd.enums import quick


@quick
class State(StrEnum):
    """The states of a turn (see `parleyd.core.turn` for the table)."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    BARGE_IN = "barge-in"


class Indication(StrEnum):
    """The indication: the first member that applies, in this order (hardware/lights.md).

    Mute comes first. The states of a turn come last; exactly one of them applies at a time.
    """

    MUTED = "muted"
    RINGING = "ringing"
    ERROR = "error"
    OFFLINE = "offline"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    BARGE_IN = "barge-in"
    IDLE = "idle"
