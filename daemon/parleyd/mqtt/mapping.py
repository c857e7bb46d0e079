"""From the daemon's messages to values and events, and from commands to requests. Pure."""

import re
import unicodedata
from collections.abc import Mapping

import msgspec

from parleyd.control.replies import Fields, StatusReply
from parleyd.control.requests import (
    LONGEST_SPEECH,
    ActRequest,
    ListenRequest,
    MuteRequest,
    SayRequest,
    StopRequest,
    UnmuteRequest,
    VolumeRequest,
)
from parleyd.core.states import Indication
from parleyd.mqtt.discovery import OFF, ON, PRESS

_EVENTS: Mapping[str, str] = {"wake": "wake", "interrupted": "interrupted", "alarm_due": "alarm"}
_PERCENT = re.compile(r"(100|\d{1,2})(\.0{1,3})?", re.ASCII)


class UnusableCommand(Exception):
    """A command that cannot be carried out; the text holds nothing of its payload."""


def shown_values(indication: str) -> dict[str, str]:
    """The values that change with the light."""
    problem = indication in (Indication.ERROR, Indication.OFFLINE)
    return {"state": indication, "problem": ON if problem else OFF}


def status_values(status: StatusReply) -> dict[str, str]:
    """All values of the speaker but those of its turns."""
    return {
        **shown_values(status.indication),
        "mute": ON if status.microphone.closed else OFF,
        "volume": str(status.volume),
    }


def turn_values(fields: Fields) -> dict[str, str]:
    """The times of a turn: those that it has."""
    names = {"question_to_answer": "first_frame_ms"}
    if fields.get("interrupted") is True:
        names["interruption_to_silence"] = "onset_to_hold_ms"
    found = {name: fields.get(field) for name, field in names.items()}
    return {name: str(ms) for name, ms in found.items() if isinstance(ms, int)}


def voice_event(name: str) -> bytes | None:
    """The payload of the event for this log event, or None."""
    kind = _EVENTS.get(name)
    return None if kind is None else msgspec.json.encode({"event_type": kind})


def request_of(command: str, payload: bytes) -> ActRequest:
    """The request of a command. Raises `UnusableCommand`."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise UnusableCommand("is not UTF-8 text") from None
    match command:
        case "mute":
            _expect(text in (ON, OFF), f"is neither {ON} nor {OFF}")
            return MuteRequest(by="home") if text == ON else UnmuteRequest(by="home")
        case "volume":
            _expect(_PERCENT.fullmatch(text) is not None, "is not a number from 0 to 100")
            return VolumeRequest(percent=int(text.partition(".")[0]))
        case "say":
            words = " ".join(text.split())
            _expect(0 < len(words) <= LONGEST_SPEECH, f"has not 1 to {LONGEST_SPEECH} characters")
            control = any(unicodedata.category(character) == "Cc" for character in words)
            _expect(not control, "has control characters")
            return SayRequest(text=words)
    _expect(text == PRESS, f"is not {PRESS}")
    return ListenRequest() if command == "listen" else StopRequest()


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise UnusableCommand(otherwise)
