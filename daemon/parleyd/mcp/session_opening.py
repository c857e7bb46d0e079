"""Opens a session with an MCP server: streamable HTTP, legacy SSE or stdio. In the child only."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx2
import mcp
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from parleyd.mcp.messages import OpenServer
from parleyd.system.child_environment import child_environment

OPENED_WITHIN_S = 15.0  # Home Assistant on a Pi answers in 0.2 s; a command may import for seconds
CONNECTED_WITHIN_S = 5.0
SILENT_S = 120.0  # without a byte of a response; the time limit of a call is shorter
LARGEST_BODY = 4 << 20  # bytes of one response; the longest listing that is used takes 64 kB
LARGEST_STREAM = 16 << 20  # bytes a minute, of all event streams
HOME_ASSISTANT_SSE = "/mcp_server/sse"  # of its releases that have no /api/mcp


class TooMuch(Exception):
    """A server sends more than a sensible server does."""


@dataclass
class HttpState:
    """The observations of the transport, to explain a failure."""

    status: int = 0
    """Of the newest response that was an error, or 0."""
    elsewhere: bool = False
    """It redirected to another server."""
    unreached: bool = False
    """The newest request did not reach it, so it has done nothing."""
    opened: bool = False


@dataclass
class _Flow:
    """Bytes of event streams, by minute."""

    since: float = field(default_factory=anyio.current_time)
    bytes: int = 0

    def take(self, count: int) -> None:
        now = anyio.current_time()
        if now - self.since >= 60:
            self.since, self.bytes = now, 0
        self.bytes += count
        if self.bytes > LARGEST_STREAM:
            raise TooMuch


class _BoundedStream(httpx2.AsyncByteStream):
    """A response's bytes, up to a limit."""

    def __init__(self, inner: Any, take: Callable[[int], None]) -> None:
        self._inner, self._take = inner, take

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._take(len(piece))
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


class _OneServer(httpx2.AsyncBaseTransport):
    """Sends requests to one server only, so that its key reaches no other; bounds the responses."""

    def __init__(self, url: str, state: HttpState) -> None:
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self._origin = _origin(httpx2.URL(url))
        self._state = state
        self._flow = _Flow()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != self._origin:
            self._state.elsewhere = True
            raise httpx2.ConnectError("the server points to another server")
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self._state.unreached = True
            raise
        self._state.unreached = False
        if response.status_code >= 300:
            self._state.status = response.status_code
        if 300 <= response.status_code < 400:
            where = request.url.join(response.headers.get("location", ""))
            self._state.elsewhere = _origin(where) != self._origin
        streams = response.headers.get("content-type", "").startswith("text/event-stream")
        take = self._flow.take if streams else _limit(LARGEST_BODY)
        response.stream = _BoundedStream(response.stream, take)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _limit(most: int) -> Callable[[int], None]:
    left = most

    def take(count: int) -> None:
        nonlocal left
        left -= count
        if left < 0:
            raise TooMuch

    return take


@asynccontextmanager
async def opened(
    server: OpenServer, state: HttpState, on_message: Callable[[Any], None]
) -> AsyncIterator[mcp.ClientSession]:
    """A session that is ready for requests. Raises anything; `state` helps to say why.

    `on_message` gets each notification of the server.
    """
    if server.command:
        async with _session(_stdio(server), on_message) as session:
            state.opened = True
            yield session
        return
    ways = _ways(server.url)
    for place, (is_sse, url) in enumerate(ways):
        state.status, state.elsewhere = 0, False
        try:
            async with _session(_http(server, url, state, is_sse), on_message) as session:
                state.opened = True
                yield session
            return
        except Exception:  # of any kind: the SDK groups them
            last = place == len(ways) - 1
            if state.opened or last or state.status not in (400, 404, 405):
                raise


def _ways(url: str) -> list[tuple[bool, str]]:
    """The transports to try: whether it is legacy SSE, and the address."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/sse"):
        return [(True, url)]
    sse = urlunsplit(parts._replace(path=HOME_ASSISTANT_SSE)) if path == "/api/mcp" else url
    return [(False, url), (True, sse)]


@asynccontextmanager
async def _session(
    streams: Any, on_message: Callable[[Any], None]
) -> AsyncIterator[mcp.ClientSession]:
    async def handle(message: object) -> None:
        on_message(message)

    async with AsyncExitStack() as stack:
        async with asyncio.timeout(OPENED_WITHIN_S):
            read, write = await stack.enter_async_context(streams)
            session = await stack.enter_async_context(
                mcp.ClientSession(read, write, message_handler=handle)
            )
            await session.initialize()
        yield session


def _stdio(server: OpenServer) -> Any:
    """The command on a leash. Its stderr is dropped: it may hold words of the user."""
    words = [sys.executable, "-m", "parleyd.mcp.leash", *server.command]
    parameters = mcp.StdioServerParameters(
        command=words[0],
        args=words[1:],
        env={**child_environment(os.environ), **server.environment},
    )
    return mcp.stdio_client(parameters, errlog=open(os.devnull, "w"))


@asynccontextmanager
async def _http(
    server: OpenServer, url: str, state: HttpState, is_sse: bool
) -> AsyncIterator[tuple[Any, Any]]:
    timeout = httpx2.Timeout(CONNECTED_WITHIN_S, read=SILENT_S)

    def client(*_: object, **__: object) -> httpx2.AsyncClient:
        transport = _OneServer(url, state)
        return httpx2.AsyncClient(
            headers=server.headers, timeout=timeout, transport=transport, trust_env=False
        )

    if is_sse:
        async with sse_client(url, httpx_client_factory=client) as both:
            yield both
        return
    async with client() as http, streamable_http_client(url, http_client=http) as both:
        yield both
