"""The requests of the control socket. Pure: one JSON object a line, typed.

`daemon/docs/control.md` is the reference for other programs. A field that this version does not
know is ignored; a request of an unknown type is an error.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from parleyd.control.replies import (
    LONGEST_TEXT,
    MOST_TURNS,
    UNREADABLE,
    Code,
    ErrorReply,
    GroupNews,
    Number,
)
from parleyd.printable import printable

LONGEST_MUTE_MIN = 24 * 60
LONGEST_SPEECH = 400  # characters: less than half a minute, the smallest playback buffer

Voice = Literal["embedded", "model"]
"""Who speaks a text: the offline voice, or the realtime model, outside the conversation."""

Asker = Literal["person", "home"]
"""For whom a microphone is closed or opened: home automation opens it only after itself."""

Topic = Literal["state", "levels", "turns", "log", "group"]
"""What a client can subscribe to."""


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A line from a client."""

    id: Number = 0


class StatusRequest(Request, frozen=True, kw_only=True, tag="status"):
    """Describe the speaker; answered by `StatusReply`."""


class ListenRequest(Request, frozen=True, kw_only=True, tag="listen"):
    """Begin a turn, like the wake word; refused while the microphone is closed."""


class StopRequest(Request, frozen=True, kw_only=True, tag="stop"):
    """End the turn, the ringing or the speech, like the stop word."""


class MuteRequest(Request, frozen=True, kw_only=True, tag="mute"):
    """Close the microphone for a time."""

    minutes: Annotated[int, Meta(ge=1, le=LONGEST_MUTE_MIN)] = LONGEST_MUTE_MIN
    by: Asker = "person"


class UnmuteRequest(Request, frozen=True, kw_only=True, tag="unmute"):
    """End the time for which the microphone is closed; refused while the switch closes it.

    For ``home``: its own time; refused while a person's time keeps the microphone closed.
    """

    by: Asker = "person"


class VolumeRequest(Request, frozen=True, kw_only=True, tag="volume"):
    """Read the volume, or set it: to `percent`, or else by `steps`. Answered by `VolumeReply`."""

    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    steps: Annotated[int, Meta(ge=-10, le=10)] = 0


class SayRequest(Request, frozen=True, kw_only=True, tag="say"):
    """Speak a text when no turn and no alarm needs the loudspeaker; done when it was heard."""

    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_SPEECH, pattern=r"\S")]
    voice: Voice = "embedded"
    urgent: bool = False
    """Also in quiet hours."""


class TimersRequest(Request, frozen=True, kw_only=True, tag="timers"):
    """The timers and alarms that are set; answered by `TimersReply`."""


class TurnsRequest(Request, frozen=True, kw_only=True, tag="turns"):
    """The newest turns since the start of the daemon; answered by `TurnsReply`."""

    count: Annotated[int, Meta(ge=1, le=MOST_TURNS)] = 20


class MeasureRequest(Request, frozen=True, kw_only=True, tag="measure"):
    """Measure the room for `parley calibrate`; answered by `MeasuredReply`.

    It needs the speaker for up to half a minute, and ends when the client closes its connection.
    """

    what: Literal["silence", "sweeps", "word"]
    volumes: Annotated[tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(max_length=6)] = ()
    """Of the sweeps, in percent, in the order of playing."""
    urgent: bool = False
    """Also in quiet hours."""
    series: Number = 0
    """Measurements of one number belong together: others come before or after them. 0: alone."""


class GroupRequest(Request, frozen=True, kw_only=True, tag="group"):
    """A message of another speaker of the group, which may have any name."""

    speaker: Annotated[str, Meta(min_length=1, max_length=60)]
    news: GroupNews


class SubscribeRequest(Request, frozen=True, kw_only=True, tag="subscribe"):
    """Push the events of these topics from now on, and of no others."""

    topics: tuple[Topic, ...]


ActRequest = (
    StatusRequest
    | ListenRequest
    | StopRequest
    | MuteRequest
    | UnmuteRequest
    | VolumeRequest
    | SayRequest
    | TimersRequest
    | TurnsRequest
    | MeasureRequest
    | GroupRequest
)
"""Requests to the daemon; a subscription is the connection's own."""
AnyRequest = ActRequest | SubscribeRequest


class _Numbered(msgspec.Struct):
    """A request that is wrong otherwise."""

    id: Number = 0


_request = msgspec.json.Decoder(AnyRequest)
_numbered = msgspec.json.Decoder(_Numbered)


def parse_request(line: bytes) -> AnyRequest | ErrorReply:
    """Return the request of a line, or the reply to a line that is none."""
    try:
        return _request.decode(line)
    except UNREADABLE as error:
        message = f"not a request: {printable(str(error), LONGEST_TEXT)}"
        return ErrorReply(id=_number_of(line), code=Code.BAD_REQUEST, message=message)


def _number_of(line: bytes) -> int:
    try:
        return _numbered.decode(line).id
    except UNREADABLE:
        return 0
