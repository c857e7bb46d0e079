"""A client of the control socket on an event loop: requests and events on one connection."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from msgspec import structs

from parleyd.control.client import ANSWERS_WITHIN_S, EVENTS, failure, refusal
from parleyd.control.place import candidates, short
from parleyd.control.replies import (
    LONGEST_LINE,
    PROTOCOL,
    AnyEvent,
    AnyReply,
    DaemonLine,
    Done,
    ErrorReply,
    EventsDropped,
    Hello,
    MeasuredReply,
    StatusReply,
    TimersReply,
    TurnsReply,
    VolumeReply,
    encode,
    parse_daemon_line,
)
from parleyd.control.requests import AnyRequest
from parleyd.errors import ProtocolError

TakeEvent = Callable[[AnyEvent | EventsDropped | None], None]
"""Gets an event; None: the daemon has gone."""
_Expected = TypeVar(
    "_Expected", Done, StatusReply, VolumeReply, TimersReply, TurnsReply, MeasuredReply
)


class ControlLink:
    """An open connection; `linked` makes one. Its methods raise `ControlError`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[AnyReply]] = {}
        self._ended = False

    async def ask(
        self, request: AnyRequest, expected: type[_Expected], within_s: float = ANSWERS_WITHIN_S
    ) -> _Expected:
        """Send a request and return its reply."""
        number = next(self._numbers)
        reply: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        self._asked[number] = reply
        try:
            if self._ended:
                raise failure("gone", "the daemon has ended")
            self._writer.write(encode(structs.replace(request, id=number)))
            async with asyncio.timeout(within_s):
                answer = await reply
        except TimeoutError:
            raise failure("late", "the daemon does not answer: see its log") from None
        finally:
            del self._asked[number]
        if isinstance(answer, ErrorReply):
            raise refusal(answer)
        if not isinstance(answer, expected):
            raise failure("protocol", "the daemon is of another version: restart it")
        return answer

    async def read(self, reader: asyncio.StreamReader, take: TakeEvent) -> None:
        """Hand on replies and events until the daemon ends the connection."""
        try:
            while line := await _line(reader):
                if isinstance(line, EVENTS):
                    take(line)
                elif not isinstance(line, Hello) and not self._answer(line):
                    return  # an error that belongs to no request: the daemon ends the connection
        finally:
            self._ended = True
            for reply in self._asked.values():
                if not reply.done():
                    reply.set_exception(failure("gone", "the daemon has ended"))
            take(None)

    def _answer(self, answer: AnyReply) -> bool:
        reply = self._asked.get(answer.id)
        if reply is not None and not reply.done():
            reply.set_result(answer)
        return reply is not None or answer.id != 0


@contextlib.asynccontextmanager
async def linked(
    take: TakeEvent = lambda event: None, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[ControlLink]:
    """Connect to the daemon inside the block; `take` gets the events of subscriptions.

    Raises `ControlError`.
    """
    reader, writer = await _open(environ)
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            hello = await _line(reader)
        if isinstance(hello, ErrorReply):
            raise refusal(hello)
        if not isinstance(hello, Hello) or hello.protocol != PROTOCOL:
            raise failure("protocol", "the daemon is of another version: restart it")
        link = ControlLink(writer)
        reading = asyncio.create_task(link.read(reader, take))
        yield link
    except (TimeoutError, OSError) as error:
        raise failure("gone", f"the connection broke: {error}") from error
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        writer.close()


async def _open(
    environ: Mapping[str, str],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    denied = False
    for path in candidates(environ):
        try:
            with short(path) as address:
                return await asyncio.open_unix_connection(address, limit=LONGEST_LINE + 2)
        except OSError as error:
            denied = denied or isinstance(error, PermissionError)
    if denied:
        raise refusal(ErrorReply(code="forbidden", message=""))
    raise failure("no_daemon", "no daemon runs: sudo systemctl start parleyd")


async def _line(reader: asyncio.StreamReader) -> DaemonLine | None:
    """The next line that this version knows; None at the end."""
    while True:
        try:
            line = await reader.readline()
        except (OSError, ValueError):  # broken, or longer than the protocol allows
            return None
        if not line:
            return None
        with contextlib.suppress(ProtocolError):
            return parse_daemon_line(line)
