"""A client of the control socket, for the command line: blocking, one request at a time."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from parleyd.control.lines import LineBuffer
from parleyd.control.place import GROUP, candidates, short
from parleyd.control.replies import (
    PROTOCOL,
    AnyEvent,
    Code,
    DaemonLine,
    Done,
    ErrorReply,
    EventsDropped,
    GroupClaim,
    GroupSpeech,
    Hello,
    LaterType,
    LevelsMeasured,
    Logged,
    MeasuredReply,
    StateChanged,
    StatusReply,
    TimersReply,
    TurnReported,
    TurnsReply,
    VolumeReply,
    encode,
    parse_daemon_line,
)
from parleyd.control.requests import AnyRequest
from parleyd.errors import ControlError, ProtocolError

ANSWERS_WITHIN_S = 5.0  # the daemon needs milliseconds; a Pi that starts other programs needs more
READ_BYTES = 1 << 16

_Replied = TypeVar(
    "_Replied", Done, StatusReply, VolumeReply, TimersReply, TurnsReply, MeasuredReply
)


EXIT_CODES = {
    "no_daemon": 3,
    Code.FORBIDDEN: 4,
    **dict.fromkeys([Code.FAILED, Code.BAD_REQUEST, Code.TOO_LONG], 1),
    **dict.fromkeys(["gone", "late", "protocol"], 6),
}
REFUSED = 5
"""The exit code of every other refusal: the present state does not allow it."""

EVENTS = (
    StateChanged,
    LevelsMeasured,
    TurnReported,
    Logged,
    GroupClaim,
    GroupSpeech,
    EventsDropped,
)


class ControlClient:
    """A connection; a context manager. Raises `ControlError` from every method."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._lines = LineBuffer()
        self._received: list[bytes] = []
        self._socket = _connect(list(candidates(environ)))
        self._socket.settimeout(ANSWERS_WITHIN_S)
        hello = self._next()
        if isinstance(hello, ErrorReply):
            raise refusal(hello)
        if not isinstance(hello, Hello) or hello.protocol != PROTOCOL:
            raise failure("protocol", "the daemon is of another version: restart it")

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def ask(
        self, request: AnyRequest, expected: type[_Replied], within_s: float = ANSWERS_WITHIN_S
    ) -> _Replied:
        """Send a request and return its reply."""
        self._socket.settimeout(within_s)
        self.send(request)
        while True:
            reply = self._next()
            if isinstance(reply, ErrorReply):
                raise refusal(reply)
            if isinstance(reply, expected):
                return reply

    def send(self, request: AnyRequest) -> None:
        """Send a request; its reply is among the lines."""
        try:
            self._socket.sendall(encode(request))
        except OSError as error:
            raise failure("gone", f"the daemon has closed the connection: {error}") from error

    def fileno(self) -> int:
        """The socket, for `select`."""
        return self._socket.fileno()

    def lines(self) -> list[DaemonLine]:
        """The lines that have come; waits for bytes if there are none."""
        self._receive()
        came, self._received = self._received, []
        return [line for line in map(_known, came) if line is not None]

    def events(self) -> Iterator[AnyEvent | EventsDropped]:
        """Yield events as they come; ends with an error when the daemon ends."""
        self._socket.settimeout(None)
        while True:
            line = self._next()
            if isinstance(line, EVENTS):
                yield line

    def _next(self) -> DaemonLine:
        while True:
            while not self._received:
                self._receive()
            line = _known(self._received.pop(0))
            if line is not None:
                return line

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            raise failure("late", "the daemon does not answer: see its log") from None
        except OSError as error:
            raise failure("gone", f"the connection broke: {error}") from error
        if not data:
            raise failure("gone", "the daemon has ended")
        self._received += self._lines.feed(data)


def _known(line: bytes) -> DaemonLine | None:
    """The message of a line; None for one of a later version."""
    try:
        return parse_daemon_line(line)
    except LaterType:
        return None
    except ProtocolError as error:
        raise failure("protocol", f"{error}; restart it after an upgrade") from error


def _connect(paths: Sequence[Path]) -> socket.socket:
    denied = False
    for path in paths:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(ANSWERS_WITHIN_S)
            with short(path) as address:
                connection.connect(address)
        except OSError as error:
            connection.close()
            denied = denied or isinstance(error, PermissionError)
        else:
            return connection
    if denied:
        raise failure(Code.FORBIDDEN, _NOT_IN_GROUP)
    raise failure("no_daemon", "no daemon runs: sudo systemctl start parleyd")


_NOT_IN_GROUP = f"you are not in the group {GROUP}: sudo adduser $USER {GROUP}, then log in again"


def refusal(reply: ErrorReply) -> ControlError:
    """The error for a reply that refuses."""
    forbidden = reply.code == Code.FORBIDDEN
    return failure(reply.code, _NOT_IN_GROUP if forbidden else reply.message)


def failure(code: str, message: str) -> ControlError:
    """The error with the exit code of its code."""
    return ControlError(code, message, EXIT_CODES.get(code, REFUSED))
