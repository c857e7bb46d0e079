"""Why a server cannot be reached, in fixed words: a server's own text may hold anything.

In the child only.
"""

import os
import socket
import ssl
from collections.abc import Iterator

import httpx2
import mcp
from mcp.types import CONNECTION_CLOSED, PARSE_ERROR
from pydantic import ValidationError

from parleyd.mcp.session_opening import HttpState, TooMuch

REFUSED = (401, 403)
"""The states of HTTP that refuse a key."""


def explained(error: BaseException, state: HttpState, *, command: bool) -> str:
    """One clause about the server, such as ``it refuses the key (HTTP 401)``."""
    if state.elsewhere:
        return "it sends Parley to another address, which must not get its key: use that as url"
    if state.status in REFUSED:
        return f"it refuses the key (HTTP {state.status})"
    if state.status == 404:
        return "there is no MCP server at this address (HTTP 404)"
    leaves = list(_leaves(error))
    for leaf in leaves:
        if words := _of(leaf, command=command, opened=state.opened):
            return words
    if state.status:
        return f"it fails (HTTP {state.status})"
    return f"it failed ({type(leaves[0]).__name__})"


def _of(leaf: BaseException, *, command: bool, opened: bool) -> str:
    match leaf:
        case TooMuch() | httpx2.SSEError():
            return "it sends too much"
        case httpx2.ConnectError():
            return _unreachable(leaf)
        case TimeoutError() | httpx2.TimeoutException():
            return "it does not answer"
        case ValidationError():
            return "it answers nonsense"
        case mcp.MCPError(code=code) if code == CONNECTION_CLOSED and command and opened:
            return "the command has ended"
        case mcp.MCPError(code=code) if code == CONNECTION_CLOSED and command:
            return "the command ends at once: is it installed, and may the service run it?"
        case mcp.MCPError(code=code) if code == CONNECTION_CLOSED:
            return "it ended the connection"
        case mcp.MCPError(code=code) if code == PARSE_ERROR:
            return "it answers nonsense"
        case httpx2.RemoteProtocolError() | httpx2.NetworkError():
            return "it ended the connection"
        case OSError(errno=int(number)):
            return f"it cannot be started: {os.strerror(number)}"
    return ""


def _unreachable(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate cannot be verified"
        if isinstance(cause, socket.gaierror):
            return "it cannot be reached: its name is not known in this network"
        if isinstance(cause, OSError) and cause.errno:
            return f"it cannot be reached: {os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return "it cannot be reached"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
