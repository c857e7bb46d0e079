"""A server's listing as functions for the model: names, schemas, and which calls need a yes; pure.

A server's names, texts and hints are claims: they are bounded here, and the owner's lists come
first.
"""

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from parleyd.config import McpServerConfig, is_home_assistant
from parleyd.mcp.home_assistant import (
    BY_TARGET,
    EVERYDAY,
    base_name,
    exposed_devices,
    target_asks,
)
from parleyd.mcp.messages import LONGEST_DESCRIPTION, ListedTool, ServerListed
from parleyd.mcp.schemas import UnusableSchema, parameters, plain
from parleyd.realtime.events import Json
from parleyd.realtime.guards import Guard

LONGEST_NAME = 64  # characters; the limit of realtime servers
_DIGEST = 8  # characters that keep changed names apart
_OTHERS = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class McpFunction:
    """One tool, as the model sees it."""

    name: str
    tool: str
    """Its name at the server."""
    declaration: Json
    guard: Guard = field(compare=False)


def functions(
    entry: McpServerConfig, listed: ServerListed, taken: Collection[str]
) -> tuple[list[McpFunction], list[str]]:
    """The functions of a server, and a line for each tool that cannot be one.

    `taken`: names that functions of the device have.
    """
    made: list[McpFunction] = []
    problems: list[str] = []
    asks = _Asking(entry, listed)
    for tool in listed.tools:
        if not is_allowed(entry, tool.name):
            continue
        try:
            schema = parameters(tool.schema)
        except UnusableSchema as error:
            problems.append(f"{plain(tool.name, 60)} is left out: {error}")
            continue
        name = function_name(entry.label, tool.name, taken)
        if any(name == one.name for one in made):
            problems.append(f"{plain(tool.name, 60)} is left out: another tool has its name")
            continue
        declaration: Json = {
            "type": "function",
            "name": name,
            "description": plain(tool.description, LONGEST_DESCRIPTION) or name,
            "parameters": schema,
        }
        guard = Guard(entry.label, tool.name, asks.of(tool))
        made.append(McpFunction(name, tool.name, declaration, guard))
    names = {tool.name for tool in listed.tools}
    bases = names | {base_name(name) for name in names}
    missing = [n for n in (*entry.allowed_tools, *entry.ask, *entry.never_ask) if n not in bases]
    if not listed.left_out:
        problems += [f"{plain(name, 60)} is not a tool of this server" for name in missing]
    return made, problems


def is_allowed(entry: McpServerConfig, tool: str) -> bool:
    """Whether the owner's list lets the model see this tool."""
    return not entry.allowed_tools or bool(_names(entry, tool) & set(entry.allowed_tools))


def _names(entry: McpServerConfig, tool: str) -> set[str]:
    """The names under which the owner's lists may have a tool."""
    return {tool, base_name(tool)} if is_home_assistant(entry) else {tool}


def function_name(label: str, tool: str, taken: Collection[str]) -> str:
    """``label_tool``, valid for every realtime server, and of this tool alone.

    It depends on nothing but the two and `taken`, so that a yes for one tool can't become one
    for another. A name that had to be changed ends in a digest.
    """
    plain_name = f"{label}_{tool}"
    name = _OTHERS.sub("_", plain_name)
    if name == plain_name and len(name) <= LONGEST_NAME and name not in taken:
        return name
    digest = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}_{digest}"


class _Asking:
    """Which calls of one server need a yes."""

    def __init__(self, entry: McpServerConfig, listed: ServerListed) -> None:
        self._entry = entry
        self._is_home = is_home_assistant(entry)
        self._devices = exposed_devices(listed.prompt)

    def of(self, tool: ListedTool) -> Callable[[Json], bool]:
        names = _names(self._entry, tool.name)
        if names & set(self._entry.ask):
            return _always
        if names & set(self._entry.never_ask) or self._entry.approval == "never":
            return _never
        if self._is_home and (rule := self._home(base_name(tool.name))) is not None:
            return rule
        if tool.read_only is True or tool.destructive is False:
            return _never
        return _always  # the standard's default: a tool that is not read-only may destroy

    def _home(self, name: str) -> Callable[[Json], bool] | None:
        devices = self._devices
        if name in BY_TARGET:
            return lambda arguments: target_asks(arguments, devices)
        if name == "HassStartTimer":  # may carry a command for its end
            return lambda arguments: bool(arguments.get("conversation_command"))
        return _never if name in EVERYDAY else None


def _always(_: Json) -> bool:
    return True


def _never(_: Json) -> bool:
    return False
