"""The names of what Parley is doing, as logs, LEDs and `systemctl status` show them."""

from enum import StrEnum


class State(StrEnum):
    """The states of a turn (see `parleyd.core.turn` for the table)."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    BARGE_IN = "barge-in"


class Shown(StrEnum):
    """What is shown to people: a state, or what lies over it; of all that hold, the first here.

    The ladder of hardware/lights.md. Mute wins over everything; of the states of a turn,
    which come last, only one holds at a time.
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
