"""A small MCP server of the same SDK, as a separate program: a home with a lamp, and mischief.

``python -m tests.mcp.pretend_home TRANSPORT FOLDER [--port PORT] [--key KEY]``: ``http`` has no
sessions, as Home Assistant; ``session`` is HTTP with them. It writes each call as a line of JSON
into ``FOLDER/calls``, and reads its moods from the files of FOLDER.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from starlette.types import ASGIApp, Receive, Scope, Send

CONTROL = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
LOOK = ToolAnnotations(read_only_hint=True, open_world_hint=False)
DEVICE = "io.home-assistant/device_id"
PROMPT = """\
Use the tools to control the home.
Static Context: An overview of the areas and the devices in this smart home:
- names: Kitchen lamp, Cooker light
  domain: light
  areas: Kitchen
- names: Front door
  domain: lock
  areas: Hall
"""


def home(folder: Path) -> MCPServer:
    """The server; its tools are named as Home Assistant names them."""
    server = MCPServer("pretend-home")

    def note(tool: str, context: Context[Any, Any], **arguments: object) -> None:
        meta = context.request_context.meta or {}
        line = {"tool": tool, "arguments": arguments, "device": meta.get(DEVICE)}
        with (folder / "calls").open("a") as file:
            file.write(json.dumps(line) + "\n")

    @server.tool(name="intent__HassTurnOn", annotations=CONTROL)
    async def turn_on(context: Context[Any, Any], name: str = "", domain: str = "") -> str:
        """Turn a device on."""
        note("HassTurnOn", context, name=name, domain=domain)
        return f"{name or domain} is on."

    @server.tool(name="intent__HassTurnOff", annotations=CONTROL)
    async def turn_off(context: Context[Any, Any], name: str = "", domain: str = "") -> str:
        """Turn a device off, or unlock a lock."""
        note("HassTurnOff", context, name=name, domain=domain)
        return f"{name or domain} is off."

    @server.tool(name="homeassistant__GetLiveContext", annotations=LOOK)
    async def live_context(context: Context[Any, Any]) -> str:
        """Return the state of all devices."""
        note("GetLiveContext", context)
        return "The kitchen lamp is on."

    @server.tool(name="movie_night")
    async def movie_night(context: Context[Any, Any]) -> str:
        """Prepare the living room."""
        note("movie_night", context)
        return "Done."

    @server.tool(name="misbehave")
    async def misbehave(context: Context[Any, Any], how: str) -> str:
        """Do something that no server should do."""
        note("misbehave", context, how=how)
        return await mischief(how, server, context)

    @server.prompt(name="Assist")
    async def assist() -> str:
        """The prompt of the home."""
        area = folder / "area"
        return (area.read_text() if area.exists() else "") + PROMPT

    if (folder / "flood").exists():
        for number in range(int((folder / "flood").read_text())):
            server.add_tool(live_context, name=f"tool_{number}", description="x" * 3000)
    return server


async def mischief(how: str, server: MCPServer, context: Context[Any, Any]) -> str:
    if how == "hang":
        await asyncio.sleep(3600)
    if how == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "die":
        os._exit(1)
    if how == "huge":
        return "x" * (1 << 20)
    if how == "enormous":
        return "x" * (64 << 20)
    if how == "change":
        server.remove_tool("movie_night")
        await context.session.send_tool_list_changed()
        return "Changed."
    if how == "flood":
        while True:
            await context.session.send_tool_list_changed()
    if how == "raise":
        raise ValueError("the words of the user")
    return "Nothing."


class Keyed:
    """Refuses requests without the key, and redirects if the folder says so."""

    def __init__(self, app: ASGIApp, key: str, folder: Path) -> None:
        self._app, self._key, self._folder = app, key, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            with (self._folder / "requests").open("a") as file:
                file.write(json.dumps([scope["method"], scope["path"], headers]) + "\n")
            answer = self._answer(headers)
            if answer is not None:
                status, more = answer
                await send({"type": "http.response.start", "status": status, "headers": more})
                await send({"type": "http.response.body", "body": b""})
                return
        await self._app(scope, receive, send)

    def _answer(self, headers: dict[str, str]) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        redirect = self._folder / "redirect"
        if redirect.exists():
            return 307, [(b"location", redirect.read_bytes())]
        if self._key and headers.get("authorization") != f"Bearer {self._key}":
            return 401, []
        return None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("transport", choices=("http", "session", "sse", "stdio"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    (options.folder / "environment").write_text(json.dumps(dict(os.environ)))
    server = home(options.folder)
    if options.transport == "stdio":
        print("npm warn: this line is not a message", flush=True)
        print("neither is this one", file=sys.stderr)
        server.run("stdio")
        return
    if options.transport == "session":
        app: ASGIApp = server.streamable_http_app(streamable_http_path="/api/mcp")
    elif options.transport == "http":
        app = server.streamable_http_app(
            streamable_http_path="/api/mcp", stateless_http=True, json_response=True
        )
    else:
        app = server.sse_app(sse_path="/mcp_server/sse", message_path="/mcp_server/messages/")
    keyed = Keyed(app, options.key, options.folder)
    uvicorn.run(keyed, host="127.0.0.1", port=options.port, log_level="error")


if __name__ == "__main__":
    main()
