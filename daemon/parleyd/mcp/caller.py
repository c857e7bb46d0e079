"""Keeps a session with one MCP server, and calls its tools. In the child only."""

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import mcp
from mcp import types

from parleyd.mcp.failures import REFUSED, explained
from parleyd.mcp.messages import (
    CallTool,
    CancelCall,
    FromChild,
    OpenServer,
    ServerAway,
    ServerListed,
    ToolDone,
)
from parleyd.mcp.reading import listing, result_text
from parleyd.mcp.session_opening import HttpState, TooMuch, opened

MOST_CALLS = 8  # at once; a turn of the model has one or two
ANSWERS_WITHIN_S = 10.0  # a listing or a ping
REFRESH_S = 180.0  # a prompt of Home Assistant lists the exposed devices
LOOK_S = 15.0  # between pings of a server whose end is noticed only then
CHANGES_S = 5.0  # the least time between two listings: a server may report changes without end
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # before a new attempt
STEADY_S = 60.0  # a session that lasted: the pauses begin with the first again
MOST_MESSAGES = 200  # a second, of a server by itself; more would keep a processor busy
REFUSED_S = 300.0  # Home Assistant reports each wrong token, and may then ban the address
REACHED_WITHIN_S = 5.0  # the longest wait of a call for a new connection
CLOSED_WITHIN_S = 10.0  # the end of a session; a child that hangs in it ends itself


class _Away(Exception):
    """There is no session, for this reason."""


class _Stale(Exception):
    """The session is of no use any more; a new one may be."""


class Caller:
    """One server; on the child's event loop. `write` sends a message to the daemon."""

    def __init__(self, server: OpenServer, write: Callable[[FromChild], None]) -> None:
        self._server, self._write = server, write
        self._session: mcp.ClientSession | None = None
        self._state = HttpState()
        self._reason = "it was not reached yet"
        self._ready, self._retry = asyncio.Event(), asyncio.Event()
        self._stirred, self._over = asyncio.Event(), asyncio.Event()
        self._flooding = asyncio.Event()
        self._second, self._messages = 0.0, 0
        self._changed = self._suspect = self._stale = False
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._closing_since: float | None = None

    @property
    def stuck(self) -> bool:
        """The end of a session hangs."""
        now = asyncio.get_running_loop().time()
        return self._closing_since is not None and now - self._closing_since > CLOSED_WITHIN_S

    async def run(self) -> None:
        """Connect, and again after every loss, until cancelled."""
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            self._state, began = HttpState(), loop.time()
            self._flooding.clear()
            try:
                async with opened(self._server, self._state, self._notified) as session:
                    await self._serve(session)
            except MemoryError:
                os._exit(3)
            except _Stale:
                continue
            except Exception as error:  # the rim of the SDK and of a server
                command = bool(self._server.command)
                self._reason = explained(error, self._state, command=command)
            finally:
                self._closing_since = None
            self._write(ServerAway(self._reason))
            if loop.time() - began > STEADY_S:
                attempt = 0
            if self._state.status in REFUSED:
                await asyncio.sleep(REFUSED_S)
                continue
            pause_s = PAUSES_S[min(attempt, len(PAUSES_S) - 1)] * random.uniform(0.8, 1.2)
            attempt += 1
            self._retry.clear()
            await _set_within(self._retry, pause_s)

    def call(self, call: CallTool) -> None:
        """Begin a call; `ToolDone` follows. Returns at once."""
        if len(self._calls) >= MOST_CALLS:
            self._write(ToolDone(call.id, "Too many calls are still running.", failed=True))
            return
        task = asyncio.get_running_loop().create_task(self._call(call))
        self._calls[call.id] = task
        task.add_done_callback(lambda _: self._calls.pop(call.id, None))

    def cancel(self, call: CancelCall) -> None:
        """End a call whose result is not wanted."""
        if (task := self._calls.get(call.id)) is not None:
            task.cancel()

    # --- the session ----------------------------------------------------------------------

    async def _serve(self, session: mcp.ClientSession) -> None:
        """List, and list again after changes, until the session fails. Raises anything."""
        try:
            listed = await self._list(session)
            self._write(listed)
            self._session, self._over = session, asyncio.Event()
            self._ready.set()
            await self._follow(session, listed)
        finally:
            self._session = None
            self._ready.clear()
            self._over.set()
            self._closing_since = asyncio.get_running_loop().time()

    async def _follow(self, session: mcp.ClientSession, listed: ServerListed) -> None:
        loop = asyncio.get_running_loop()
        listed_at = loop.time()
        while True:
            due_s = listed_at + REFRESH_S - loop.time()
            await _set_within(self._stirred, max(0.0, min(due_s, LOOK_S)))
            self._stirred.clear()
            if self._flooding.is_set():
                raise TooMuch
            if self._stale:
                self._stale = False
                raise _Stale
            if self._changed or loop.time() >= listed_at + REFRESH_S:
                if self._changed and await _set_within(self._flooding, CHANGES_S):
                    raise TooMuch
                self._changed = False
                newest, listed_at = await self._list(session), loop.time()
                if newest != listed:
                    listed = newest
                    self._write(listed)
            elif self._suspect or self._keeps_stream:
                self._suspect = False
                async with asyncio.timeout(ANSWERS_WITHIN_S):
                    await session.send_ping()

    @property
    def _keeps_stream(self) -> bool:
        """Whether the end of the server shows only when it is asked."""
        return bool(self._server.command) or self._server.url.rstrip("/").endswith("/sse")

    async def _list(self, session: mcp.ClientSession) -> ServerListed:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await listing(session, self._server)

    def _notified(self, message: object) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._second + 1:
            self._second, self._messages = now, 0
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            self._flooding.set()
            self._stirred.set()
        changes = (types.ToolListChangedNotification, types.PromptListChangedNotification)
        if isinstance(message, changes):
            self._changed = True
            self._stirred.set()

    # --- a call ---------------------------------------------------------------------------

    async def _call(self, call: CallTool) -> None:
        text, failed = "", True
        try:
            async with asyncio.timeout(call.timeout_s):
                text, failed = await self._attempt(call)
        except TimeoutError:
            text = f"It did not answer within {call.timeout_s:g} seconds."
            self._doubt()
        except _Away as away:
            text = f"It cannot be used now: {away}."
        except MemoryError:
            os._exit(3)
        except Exception as error:  # the rim of the SDK: a result that breaks its own schema
            reason = explained(error, HttpState(), command=False)
            text = f"Its result cannot be used: {reason}."
        self._write(ToolDone(call.id, text, failed))

    async def _attempt(self, call: CallTool) -> tuple[str, bool]:
        """The result of a call, or its failure in words; once more if it never began."""
        for again in (True, False):
            session = await self._reached(min(REACHED_WITHIN_S, call.timeout_s / 2))
            state, over = self._state, self._over
            try:
                result = await session.call_tool(call.tool, call.arguments, meta=self._meta)
            except mcp.MCPError as error:
                ended = error.code == types.CONNECTION_CLOSED
                expired = error.code == types.INVALID_REQUEST and state.status == 404
                if again and (expired or (ended and state.unreached)):
                    self._stale = expired
                    self._stirred.set()
                    await over.wait()
                    continue
                self._doubt()
                if ended:
                    return "The connection was lost; it is not known whether it was done.", True
                return f"It answers with an error: {error.message}", True
            return result_text(result), bool(result.is_error)
        raise AssertionError

    async def _reached(self, seconds: float) -> mcp.ClientSession:
        """The session; waits up to `seconds` for a new one. Raises `_Away`."""
        self._retry.set()
        await _set_within(self._ready, seconds)
        if self._session is None:
            raise _Away(self._reason)
        return self._session

    def _doubt(self) -> None:
        self._suspect = True
        self._stirred.set()

    @property
    def _meta(self) -> Any:
        return self._server.meta or None


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
