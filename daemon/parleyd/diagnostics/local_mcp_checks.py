"""The check of `parley doctor` for the MCP servers that Parley calls: each one is tried."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping

from parleyd import config
from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.errors import ConfigError, ParleyError
from parleyd.mcp.functions import functions
from parleyd.mcp.messages import ServerListed
from parleyd.mcp.server import McpServer
from parleyd.mcp.servers import check_package, opening

TRIED_FOR_S = 40.0  # the SDK is imported in 2 s on a desktop core, a cold Pi may take 15

_REMEDIES = {
    "refuses the key": "create a new long-lived access token in Home Assistant (your profile, "
    "Security), or another key for another server, and put it into {key}",
    "HTTP 404": 'add the integration "Model Context Protocol Server" to Home Assistant, '
    "or correct url",
    "name is not known": "write the address of the server instead of its name into url",
    "certificate": "use the name that the certificate has, or http:// within the house",
    "another address": "write that address into url",
    "command": "run the command by hand; its program must be readable by every user",
}


def local_mcp(settings: config.Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Try each server with ``where = "here"``. `environ`: also the keys that only root reads."""
    entries = [entry for entry in settings.skills.mcp if entry.where == "here"]
    if not entries:
        return
    try:
        check_package()
    except ConfigError:
        text = 'skills.mcp has where = "here", but its package is not installed'
        yield Finding("mcp", Severity.FAIL, text, remedies.install("--install --mcp"))
        return
    for entry in entries:
        yield _finding(entry, settings.home.device, environ)


def _finding(entry: config.McpServerConfig, device: str, environ: Mapping[str, str]) -> Finding:
    name = f"{entry.label}:"
    if entry.command and shutil.which(entry.command[0]) is None:
        text = f"{name} {entry.command[0]} cannot be run"
        return Finding("mcp", Severity.FAIL, text, "install it, or correct command")
    if entry.command and os.geteuid() == 0:
        text = f"{name} {entry.command[0]} was not run, because that is not for root"
        return Finding("mcp", Severity.OK, text)
    try:
        server = McpServer(entry.label, opening(entry, device, environ), lambda: None)
    except ParleyError as error:
        return Finding("mcp", Severity.FAIL, str(error), "correct this server in [[skills.mcp]]")
    reached = asyncio.run(_reached(server))
    if server.away or reached is None:
        reason = server.away or "it does not answer"
        remedy = next((words for part, words in _REMEDIES.items() if part in reason), "")
        remedy = remedy or "start the server, or correct url"
        key = f"/etc/parley/{entry.key.lower()}"
        return Finding("mcp", Severity.FAIL, f"{name} {reason}", remedy.format(key=key))
    made, problems = functions(entry, reached, ())
    if problems:
        remedy = "correct allowed_tools, ask and never_ask"
        return Finding("mcp", Severity.WARN, f"{name} {'; '.join(problems[:5])}", remedy)
    text = f"{name} {len(made)} functions: {', '.join(f.name for f in made[:20])}"
    return Finding("mcp", Severity.OK, text)


async def _reached(server: McpServer) -> ServerListed | None:
    """The listing of the server, or None; the child is ended."""
    task = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(TRIED_FOR_S):
            await server.tried.wait()
    except TimeoutError:
        pass
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return server.listed
