"""Declarations of the MCP servers that the realtime server calls, for its session."""

from collections.abc import Mapping, Sequence

from parleyd import config
from parleyd.errors import ParleyError
from parleyd.realtime.events import Json


def declarations(
    servers: Sequence[config.McpServerConfig], environ: Mapping[str, str]
) -> list[Json]:
    """The tools for the session, including keys: never log them.

    Raises `ParleyError` when a key is missing.
    """
    remote = [server for server in servers if server.where == "server"]
    return [_declaration(server, environ) for server in remote]


def _declaration(server: config.McpServerConfig, environ: Mapping[str, str]) -> Json:
    tool: Json = {
        "type": "mcp",
        "server_label": server.label,
        "server_url": server.server_url,
        "require_approval": "never" if server.approval == "never" else "always",
    }
    if server.allowed_tools:
        tool["allowed_tools"] = list(server.allowed_tools)
    if server.key:
        key = config.secret(server.key, environ)
        if key is None:
            raise ParleyError(
                f"skills.mcp, {server.label}: there is no key: put it into "
                f"/etc/parley/{server.key.lower()} (systemd/README.md) or into the environment "
                f'as {server.key}, or set key = ""'
            )
        if server.key_header:
            tool["headers"] = {server.key_header: key}
        else:
            tool["authorization"] = key
    return tool
