"""The session's events for the speaker."""

from dataclasses import dataclass, field

from parleyd.realtime.events import Json
from parleyd.realtime.server_errors import ErrorAction
from parleyd.units import Frames


@dataclass(frozen=True, slots=True)
class Ready:
    """The server accepted our configuration; waiting audio is sent now."""


@dataclass(frozen=True, slots=True)
class UserStarted:
    """The server detected speech of the user."""


@dataclass(frozen=True, slots=True)
class UserStopped:
    """The server detected the end of the user's turn."""


@dataclass(frozen=True, slots=True)
class NothingTranscribed:
    """The server's transcription model found no word in a turn, or could not understand it."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The server ended its answer by itself, because it detected speech of the user."""


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """Speech of the living reply: int16 mono at 24 kHz."""

    item_id: str
    content_index: int
    frames: Frames
    response: int = 0
    """The local number of its response: item ids are unique only within one."""


@dataclass(frozen=True, slots=True)
class ReplyPartDone:
    """There is no more audio for this part of the living reply."""

    item_id: str
    content_index: int
    response: int = 0


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The living reply is complete; `failure` says in words why nothing (more) arrives."""

    failure: str = ""


@dataclass(frozen=True, slots=True)
class SkillCalled:
    """The model calls a local function."""

    call_id: str
    name: str
    arguments: Json
    guarded: bool = False
    """The function's `Guard` lets this call run; False if it has none."""


@dataclass(frozen=True, slots=True)
class PermissionQuestion:
    """The offline voice must read out this question, as the rest of the reply: permission to run a
    remote tool. The words contain its arguments."""

    number: int
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AnswerHeard:
    """The user has answered a question for permission, and the server has not heard it: recognise
    the answer here, and report it under this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Permission:
    """The decision whether a tool may run."""

    request_id: str
    server: str
    tool: str
    granted: bool
    reason: str = ""
    """Why not, unless the user did not say yes."""
    call: SkillCalled | None = field(default=None, repr=False)
    """The call of a function of Parley; None if the server itself calls the tool."""


@dataclass(frozen=True, slots=True)
class Used:
    """The tokens of one response, living or not; `turn` counts the user's turns."""

    turn: int
    tokens: Json


@dataclass(frozen=True, slots=True)
class SideSpeechDone:
    """The model has spoken a text outside the conversation, or will not."""

    number: int
    frames: Frames | None = field(repr=False, compare=False)
    """int16 mono at 24 kHz; None for the reason in words."""
    reason: str = ""
    stopped: bool = False
    """It was ended by the user or a program."""


@dataclass(frozen=True, slots=True)
class ServerProblem:
    """A problem for the log; with RECONNECT or FATAL the connection must act."""

    action: ErrorAction
    text: str


SessionEvent = (
    Ready
    | UserStarted
    | UserStopped
    | NothingTranscribed
    | CutOff
    | ReplyAudio
    | ReplyPartDone
    | ReplyDone
    | SkillCalled
    | PermissionQuestion
    | AnswerHeard
    | Permission
    | Used
    | SideSpeechDone
    | ServerProblem
)
