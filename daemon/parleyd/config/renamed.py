"""The keys of earlier versions; an old key is refused with the name of the new one."""

from typing import NamedTuple


class Renamed(NamedTuple):
    """The new key."""

    key: str
    change: str = ""
    """How to convert the value; "" if the value stays."""
    section: str = ""
    """Where it is; "" for the section of the old one."""


RENAMED = {
    "turn.nothing_said_s": Renamed("no_speech_timeout_s"),
    "turn.longest_s": Renamed("max_turn_s"),
    "turn.answer_within_s": Renamed("response_timeout_s"),
    "hearing.reaction": Renamed("on_suspicion"),
    "hearing.confirm_ms": Renamed("decision_window_ms"),
    "skills.within_s": Renamed("timeout_s"),
    "skills.ring_min": Renamed("alarm_timeout_s", ", and its value is in seconds"),
    "wake.chime": Renamed("wake", ': "default" for true, "" for false', "earcons"),
    "log.keep_turns": Renamed("record_turns"),
}
"""By version 0.1's section and key."""


def new_name(key: str) -> tuple[str, str] | None:
    """The new ``section.key`` for a key of an earlier version, in whatever section it stands, and
    how to convert its value; None for any other key."""
    for old, new in RENAMED.items():
        section, _, name = old.partition(".")
        if name == key:
            return f"{new.section or section}.{new.key}", new.change
    return None
