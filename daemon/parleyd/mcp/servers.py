"""All MCP servers that Parley calls: their functions, their instructions, and the calls."""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec

from parleyd import config
from parleyd.errors import ConfigError, ParleyError
from parleyd.mcp.functions import McpFunction, functions
from parleyd.mcp.messages import LONGEST_PROMPT, OpenServer
from parleyd.mcp.server import McpServer
from parleyd.printable import printable
from parleyd.realtime.events import Json
from parleyd.realtime.guards import Guard
from parleyd.system.repeats import MOST_LISTED, ONE_OF_A_LIST

MOST_FUNCTIONS = 128  # of a session; OpenAI refuses more
META_DEVICE = "io.home-assistant/device_id"
KNOWS_ROOM = "You are in area"  # a prompt of Home Assistant that knows this device's room

log = logging.getLogger(__name__)


class McpServers:
    """The servers of one configuration; on the event loop.

    `on_change` is called after the functions or the instructions have changed. `taken`: names that
    functions of the device have.
    """

    def __init__(
        self,
        settings: config.Config,
        taken: Collection[str],
        on_change: Callable[[], None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Raises `ParleyError` if a key is missing."""
        self._area = settings.home.area
        self._taken, self._on_change = taken, on_change
        self._entries = [entry for entry in settings.skills.mcp if entry.where == "here"]
        self._servers = {
            entry.label: McpServer(
                entry.label, opening(entry, settings.home.device, environ), self._listed
            )
            for entry in self._entries
        }
        self._functions: dict[str, tuple[config.McpServerConfig, McpFunction]] = {}
        self._problems: frozenset[str] = frozenset()

    @property
    def pids(self) -> list[int]:
        """The process ids of the children."""
        return [server.pid for server in self._servers.values() if server.pid is not None]

    async def run(self) -> None:
        """Keep the servers connected, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers.values():
                tasks.create_task(server.run())

    # --- for the session ------------------------------------------------------------------

    def declarations(self) -> list[Json]:
        """The functions of all servers that were reached."""
        return [function.declaration for _, function in self._functions.values()]

    def guards(self) -> dict[str, Guard]:
        """For each function, which of its calls need a yes."""
        return {name: function.guard for name, (_, function) in self._functions.items()}

    def instructions(self) -> str:
        """The room, and the prompts of the servers."""
        prompts = {
            label: readable(server.listed.prompt)
            for label, server in self._servers.items()
            if server.listed is not None and server.listed.prompt
        }
        parts = [f"About the functions that begin with {label}_:\n{prompts[label]}"
                 for label in prompts]  # fmt: skip
        if self._area and not any(KNOWS_ROOM in prompt for prompt in prompts.values()):
            parts.append(
                f"This speaker is in the room {self._area}. A command that names no room is about "
                "this room."
            )
        return "\n\n".join(parts)

    # --- for calls ------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether a server has this function."""
        return name in self._functions

    async def call(self, name: str, arguments: Json) -> str:
        """The result in words for the model; never raises, and ends within its time limit."""
        entry, function = self._functions[name]
        server = self._servers[entry.label]
        done = await server.call(function.tool, arguments, entry.call_timeout_s)
        if done.failed:
            log.warning("a call of the MCP server %s failed: the model has the reason", entry.label)
        return done.text or "Done."

    def _listed(self) -> None:
        made: dict[str, tuple[config.McpServerConfig, McpFunction]] = {}
        problems: list[str] = []
        for entry in self._entries:
            listed = self._servers[entry.label].listed
            if listed is not None:
                found, wrong = functions(entry, listed, self._taken)
                made |= {function.name: (entry, function) for function in found}
                problems += [f"the MCP server {entry.label}: {problem}" for problem in wrong]
        room = max(0, MOST_FUNCTIONS - len(self._taken))
        if len(made) > room:
            problems.append(
                f"{len(made) - room} functions of MCP servers are left out: servers take "
                f"{MOST_FUNCTIONS} in all; name those that you need in allowed_tools"
            )
            made = dict(list(made.items())[:room])
        for problem in [one for one in problems if one not in self._problems][:MOST_LISTED]:
            log.warning("%s", problem, extra=ONE_OF_A_LIST)
        self._problems = frozenset(problems)
        self._functions = made
        self._on_change()


def check_package() -> None:
    """Raises `ConfigError` where the SDK is not installed. Imports nothing."""
    if find_spec("mcp") is None:
        raise ConfigError(
            [
                'skills.mcp: where = "here" needs a package that is not installed: '
                "run sudo ./install.sh --install --mcp"
            ]
        )


def opening(entry: config.McpServerConfig, device: str, environ: Mapping[str, str]) -> OpenServer:
    """How to open a server, with its key: never log it. Raises `ParleyError` without the key."""
    key = config.secret(entry.key, environ) if entry.key else None
    if entry.key and key is None:
        raise ParleyError(
            f"skills.mcp, {entry.label}: there is no key: put it into "
            f"/etc/parley/{entry.key.lower()} (systemd/README.md) or into the environment "
            f'as {entry.key}, or set key = ""'
        )
    is_home = config.is_home_assistant(entry)
    bearer = {entry.key_header: key} if entry.key_header else {"Authorization": f"Bearer {key}"}
    return OpenServer(
        url=entry.url,
        command=entry.command,
        headers={name: value for name, value in bearer.items() if key and value},
        environment={entry.key_variable or entry.key: key} if key and entry.command else {},
        allowed=entry.allowed_tools,
        prompt=is_home,
        meta={META_DEVICE: device} if is_home and device else {},
    )


def readable(prompt: str) -> str:
    """A prompt without invisible characters; its lines are kept."""
    lines = prompt[:LONGEST_PROMPT].splitlines()
    if len(prompt) >= LONGEST_PROMPT:
        lines[-1:] = ["(The rest was left out.)"]
    return "\n".join(printable(line) for line in lines)
