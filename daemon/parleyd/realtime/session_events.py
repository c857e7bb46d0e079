"""What the session has to tell the speaker."""

from dataclasses import dataclass, field

from parleyd.realtime.events import Json
from parleyd.realtime.server_errors import Remedy
from parleyd.units import Frames


@dataclass(frozen=True, slots=True)
class Ready:
    """The server accepted our configuration; audio that waited goes out now."""


@dataclass(frozen=True, slots=True)
class UserStarted:
    """The server hears the user."""


@dataclass(frozen=True, slots=True)
class UserStopped:
    """The server heard the user's end of turn."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The server ended its answer by itself, because it hears the user."""


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """Speech of the living reply: int16 mono at 24 kHz."""

    item_id: str
    content_index: int
    frames: Frames
    response: int = 0
    """The number of its response on this device: item ids are unique only inside one."""


@dataclass(frozen=True, slots=True)
class ReplyPartDone:
    """No more audio is expected for this part of the living reply."""

    item_id: str
    content_index: int
    response: int = 0


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The living reply is complete; `failure` says in words why nothing (more) comes."""

    failure: str = ""


@dataclass(frozen=True, slots=True)
class SkillCalled:
    """The model calls a function of ours."""

    call_id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class PermissionQuestion:
    """The offline voice is to read this question, as the rest of the reply: permission to run a
    remote tool. The words hold its arguments."""

    number: int
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Permission:
    """A remote tool was to be run, and it was decided whether it may."""

    request_id: str
    server: str
    tool: str
    granted: bool
    reason: str = ""
    """Why not, unless the user did not say yes."""


@dataclass(frozen=True, slots=True)
class Used:
    """What one response took, in tokens, living or not; `turn` counts the user's turns."""

    turn: int
    tokens: Json


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the log must hold; with RECONNECT or FATAL the link must act."""

    remedy: Remedy
    text: str


News = (
    Ready
    | UserStarted
    | UserStopped
    | CutOff
    | ReplyAudio
    | ReplyPartDone
    | ReplyDone
    | SkillCalled
    | PermissionQuestion
    | Permission
    | Used
    | Trouble
)
