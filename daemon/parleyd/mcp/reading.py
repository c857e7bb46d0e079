"""Reads a server's tools, prompt and results, within bounds. In the child only."""

import json
from typing import Any

import mcp
from mcp import types

from parleyd.mcp.home_assistant import base_name
from parleyd.mcp.messages import (
    LARGEST_LISTING,
    LARGEST_SCHEMA,
    LONGEST_DESCRIPTION,
    LONGEST_PROMPT,
    LONGEST_RESULT,
    MOST_TOOLS,
    ListedTool,
    OpenServer,
    ServerListed,
    size,
)

MOST_PAGES = 16  # of a listing
MOST_LISTED = 1000  # tools that are looked at, to find the allowed ones
MOST_BLOCKS = 64  # of a result


async def listing(session: mcp.ClientSession, server: OpenServer) -> ServerListed:
    """The tools that are wanted, and the prompt. Raises anything."""
    tools: list[ListedTool] = []
    seen, bytes_used, left_out = set[str](), 0, 0
    for tool in await _all_tools(session, server.meta):
        if tool.name in seen or not _wanted(tool.name, server):
            continue
        seen.add(tool.name)
        listed = _listed(tool)
        bytes_used += size(listed) if listed is not None else 0
        if listed is None or len(tools) >= MOST_TOOLS or bytes_used > LARGEST_LISTING:
            left_out += 1
        else:
            tools.append(listed)
    prompt = await _prompt(session, server.meta) if server.prompt else ""
    return ServerListed(tuple(tools), prompt, left_out)


def _wanted(name: str, server: OpenServer) -> bool:
    names = {name, base_name(name)} if server.prompt else {name}  # only Home Assistant has one
    return not server.allowed or bool(names & set(server.allowed))


async def _all_tools(session: mcp.ClientSession, meta: dict[str, str]) -> list[types.Tool]:
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await session.list_tools(params=_page(cursor, meta))
        found += page.tools
        if not page.next_cursor or page.next_cursor == cursor or len(found) >= MOST_LISTED:
            break
        cursor = page.next_cursor
    return found[:MOST_LISTED]


def _page(cursor: str | None, meta: dict[str, str]) -> types.PaginatedRequestParams:
    return types.PaginatedRequestParams(cursor=cursor, _meta=_meta(meta))


def _meta(meta: dict[str, str]) -> Any:
    return meta or None


def _listed(tool: types.Tool) -> ListedTool | None:
    """The tool for the daemon; None if it is beyond the bounds."""
    hints = tool.annotations or types.ToolAnnotations()
    if not 1 <= len(tool.name) <= 128 or size(tool.input_schema) > LARGEST_SCHEMA:
        return None
    return ListedTool(
        tool.name,
        (tool.description or tool.title or "")[:LONGEST_DESCRIPTION],
        tool.input_schema,
        hints.read_only_hint,
        hints.destructive_hint,
        hints.open_world_hint,
    )


async def _prompt(session: mcp.ClientSession, meta: dict[str, str]) -> str:
    """The text of the server's first prompt; "" if it has none."""
    capabilities = session.server_capabilities
    if capabilities is None or capabilities.prompts is None:
        return ""
    try:
        prompts = (await session.list_prompts(params=_page(None, meta))).prompts
        if not prompts:
            return ""
        got = await session.get_prompt(prompts[0].name, meta=_meta(meta))
    except mcp.MCPError:  # tools without a prompt are of use, too
        return ""
    texts = [
        message.content.text
        for message in got.messages[:MOST_BLOCKS]
        if isinstance(message.content, types.TextContent)
    ]
    return "\n".join(texts)[:LONGEST_PROMPT]


def result_text(result: types.CallToolResult) -> str:
    """A result as text; other content is named."""
    parts: list[str] = []
    left = LONGEST_RESULT
    for block in result.content[:MOST_BLOCKS]:
        text = _block(block)[: left + 1]
        left -= len(text)
        parts.append(text)
        if left <= 0:
            break
    if not parts and result.structured_content is not None:
        parts.append(json.dumps(result.structured_content, ensure_ascii=False))
    whole = "\n".join(parts)
    cut = len(whole) > LONGEST_RESULT or len(result.content) > MOST_BLOCKS
    return whole[:LONGEST_RESULT] + (" ... (the rest was left out)" if cut else "")


def _block(block: Any) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return resource.text
        case types.ResourceLink():
            return f"(a link to {block.name})"
    return f"({getattr(block, 'type', 'something')}, which cannot be spoken)"
