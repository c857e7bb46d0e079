"""The names of what Parley is doing, as logs, LEDs and `systemctl status` show them."""

from enum import StrEnum


class State(StrEnum):
    """The states of a turn (see `parleyd.turn` for the table)."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    BARGE_IN = "barge-in"


class Shown(StrEnum):
    """What is shown to people: a state, or what lies over it. Mute wins over everything."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    BARGE_IN = "barge-in"
    RINGING = "ringing"
    MUTED = "muted"
    OFFLINE = "offline"
    ERROR = "error"
