"""The lines between the daemon and a child process that calls one MCP server: JSON, one a line.

Both sides check the bounds: the child keeps a server from filling the pipe, and the daemon
does not trust the child, which handles a server's bytes.
"""

from typing import Annotated

import msgspec

from parleyd.realtime.events import Json

LONGEST_LINE = 1 << 20  # bytes, with its end
LONGEST_RESULT = 8000  # characters: a skill's output has the same limit
LONGEST_ARGUMENTS = 32_768  # bytes of JSON
LONGEST_PROMPT = 20_000  # characters: 5,000 tokens of each session
LONGEST_DESCRIPTION = 1024  # characters; a realtime server refuses a longer one
MOST_TOOLS = 64  # of one server: servers accept 128 functions in all
LARGEST_SCHEMA = 8192  # bytes of JSON
LARGEST_LISTING = 49_152  # bytes of JSON: 12,000 tokens; OpenAI takes 16,384 with the instructions
ALIVE_S = 1.0  # the child reports this often that its event loop runs

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_PROMPT + 100)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Reason = Annotated[str, msgspec.Meta(max_length=500)]


# --- to the child -------------------------------------------------------------------------


class OpenServer(msgspec.Struct, frozen=True, tag="open"):
    """The first line: the server, and its key, which travels in no argument and no environment."""

    url: str = ""
    command: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    """For `url`; contains the key."""
    environment: dict[str, str] = {}
    """For `command`; contains the key."""
    allowed: tuple[str, ...] = ()
    """The tools that are wanted; empty for all."""
    prompt: bool = False
    """The server's prompt is wanted, too."""
    meta: dict[str, str] = {}
    """For each request, as `_meta`."""


class CallTool(msgspec.Struct, frozen=True, tag="call"):
    """Call a tool; `ToolDone` with this id follows."""

    id: int
    tool: str
    arguments: Json
    timeout_s: float


class CancelCall(msgspec.Struct, frozen=True, tag="cancel"):
    """The result of this call is not wanted any more."""

    id: int


# --- from the child -----------------------------------------------------------------------


class ListedTool(msgspec.Struct, frozen=True):
    """A tool as the server describes it. A hint is None where the server gives none."""

    name: _Name
    description: Annotated[str, msgspec.Meta(max_length=LONGEST_DESCRIPTION + 100)]
    schema: Json
    read_only: bool | None = None
    destructive: bool | None = None
    open_world: bool | None = None


class ServerListed(msgspec.Struct, frozen=True, tag="listed"):
    """The server is reached, and offers these tools."""

    tools: Annotated[tuple[ListedTool, ...], msgspec.Meta(max_length=MOST_TOOLS)]
    prompt: _Text = ""
    left_out: int = 0
    """Tools beyond the bounds."""


class ServerAway(msgspec.Struct, frozen=True, tag="away"):
    """The server cannot be reached now; the child tries again."""

    reason: _Reason


class ToolDone(msgspec.Struct, frozen=True, tag="done"):
    """The result of a call, or its failure in words."""

    id: int
    text: _Text
    failed: bool = False


class ChildAlive(msgspec.Struct, frozen=True, tag="alive"):
    """The child's event loop runs."""


ToChild = OpenServer | CallTool | CancelCall
FromChild = ServerListed | ServerAway | ToolDone | ChildAlive

_encoder = msgspec.json.Encoder()
_of_daemon = msgspec.json.Decoder(ToChild)
_of_child = msgspec.json.Decoder(FromChild)


def line(message: ToChild | FromChild) -> bytes:
    """The message with the end of its line."""
    return _encoder.encode(message) + b"\n"


def from_daemon(text: bytes) -> ToChild:
    """Raises `msgspec.DecodeError`."""
    return _of_daemon.decode(text)


def from_child(text: bytes) -> FromChild:
    """Raises `msgspec.DecodeError`, also for a message beyond its bounds."""
    return _of_child.decode(text)


def size(value: object) -> int:
    """The bytes of a value as JSON."""
    return len(_encoder.encode(value))
