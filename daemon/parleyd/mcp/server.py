"""One MCP server that Parley calls: its child process, its newest listing, and the open calls."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable

from parleyd.mcp.messages import (
    LONGEST_ARGUMENTS,
    CallTool,
    CancelCall,
    FromChild,
    OpenServer,
    ServerAway,
    ServerListed,
    ToolDone,
    size,
)
from parleyd.mcp.process import McpProcess
from parleyd.printable import printable
from parleyd.realtime.events import Json

GRACE_S = 3.0  # the child itself ends a call in time; after this, the child is stuck
PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # before a new child: its start costs seconds of a core
QUIET_S = 900.0  # a server that comes and goes for one reason is logged this often
STEADY_S = 120.0  # a child that lived so long: the pauses start again

log = logging.getLogger(__name__)


class McpServer:
    """Calls the tools of one server; on the event loop. `on_listed` is called after a change."""

    def __init__(self, label: str, opening: OpenServer, on_listed: Callable[[], None]) -> None:
        self._label, self._opening, self._on_listed = label, opening, on_listed
        self._process = McpProcess()
        self._open: dict[int, asyncio.Future[ToolDone]] = {}
        self._ids = itertools.count(1)
        self._away = "it was not reached yet"
        self._logged_away = False
        self._logged = ("", 0.0)  # the newest reason in the log, and when
        self.tried = asyncio.Event()
        """Set once the server was reached, or is known to be away."""
        self.listed: ServerListed | None = None
        """The newest listing; it stays while the server is away."""

    @property
    def away(self) -> str:
        """Why it cannot be used now; "" if it can."""
        return self._away

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid

    async def run(self) -> None:
        """Keep a child, with pauses between failures, until cancelled."""
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            try:
                reason = await self._process.run(self._opening, self._take)
            except OSError as error:
                reason = f"its process does not start: {error.strerror}"
            finally:
                self._fail_open("The connection was lost; it is not known whether it was done.")
            if loop.time() - began > STEADY_S:
                attempt = 0
            self._is_away(reason)
            await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            attempt += 1

    async def call(self, tool: str, arguments: Json, timeout_s: float) -> ToolDone:
        """The result of a call, or its failure in words; never raises."""
        if size(arguments) > LONGEST_ARGUMENTS:
            return ToolDone(0, "Its arguments are too long.", failed=True)
        if self._process.pid is None:
            return ToolDone(0, f"It cannot be used now: {self._away}.", failed=True)
        number = next(self._ids)
        answer: asyncio.Future[ToolDone] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        self._process.send(CallTool(number, tool, arguments, timeout_s))
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                return await answer
        except TimeoutError:
            text = f"It did not answer within {timeout_s:g} seconds."
            return ToolDone(number, text, failed=True)
        finally:
            if self._open.pop(number, None) is not None and not answer.done():
                self._process.send(CancelCall(number))

    def _take(self, message: FromChild) -> None:
        match message:
            case ServerListed():
                self._reached(message)
            case ServerAway(reason):
                self._is_away(printable(reason, 200))
            case ToolDone(id=number):
                answer = self._open.pop(number, None)
                if answer is not None and not answer.done():
                    answer.set_result(message)

    def _reached(self, listed: ServerListed) -> None:
        if self._away and (self._logged_away or self.listed is None):
            level = logging.WARNING if self._logged_away else logging.INFO
            count = len(listed.tools)
            log.log(level, "connected to the MCP server %s: %d tools", self._label, count)
        if listed.left_out and (self.listed is None or listed.left_out != self.listed.left_out):
            log.warning(
                "the MCP server %s: %d tools are left out, because there are too many or they are "
                "too long; name those that you need in allowed_tools",
                self._label,
                listed.left_out,
            )
        self._away, self._logged_away = "", False
        self.tried.set()
        if listed != self.listed:
            self.listed = listed
            self._on_listed()

    def _is_away(self, reason: str) -> None:
        self._away = reason
        self.tried.set()
        now = time.monotonic()
        known, since = self._logged
        if not self._logged_away and (reason != known or now - since > QUIET_S):
            self._logged_away, self._logged = True, (reason, now)
            log.warning(
                "the MCP server %s is away: %s; trying again and again", self._label, reason
            )

    def _fail_open(self, words: str) -> None:
        for number, answer in self._open.items():
            if not answer.done():
                answer.set_result(ToolDone(number, words, failed=True))
        self._open.clear()
