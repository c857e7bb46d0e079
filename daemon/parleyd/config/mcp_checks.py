"""The problems of MCP servers: those that the realtime server calls, and those called from here."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from parleyd.config import hosts
from parleyd.config.clash import Clash
from parleyd.config.credentials import header_flaw
from parleyd.config.schema import Config, McpServerConfig
from parleyd.config.servers import PROFILES, profile
from parleyd.printable import shown

MOST_HERE = 2  # servers: each one is a process of 70 MB, and the service may take 400
LONGEST_LABEL_HERE = 24  # characters: label and tool share the 64 of a function's name

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOST = r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"
_REMOTE = re.compile(r"https://[\w.-]+(:\d+)?(/[\w.~%/-]*)?", re.ASCII)
_LOCAL = re.compile(rf"https?://{_HOST}(/[\w.~%/-]*)?", re.ASCII)
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,59}_KEY")  # install.sh finds credentials by their end
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_VARIABLES_OF_OTHERS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|IFS|BASH_.*|(LD|PYTHON|NODE)_?.*"
)
_KEYS_OF_OTHERS: Mapping[str, str] = {
    "PICOVOICE_ACCESS_KEY": "Picovoice",
    "REALTIME_API_KEY": "the realtime server",
    **{row.key: row.maker for row in PROFILES.values() if row.needs_key},
}


def is_home_assistant(server: McpServerConfig) -> bool:
    """Whether this is Home Assistant's own MCP server, by the path of its address."""
    try:
        path = urlsplit(server.url).path.rstrip("/")
    except ValueError:
        return False
    return path == "/api/mcp" or path.startswith("/api/mcp/") or path == "/mcp_server/sse"


def mcp(config: Config) -> Iterator[Clash]:
    """The needs of each server of functions, and the realtime servers that can call it."""
    server = config.realtime.server
    remote = [entry for entry in config.skills.mcp if entry.where == "server"]
    if remote and not profile(server).mcp:
        able = " or ".join(repr(name) for name, row in PROFILES.items() if row.mcp)
        yield Clash(
            ("realtime.server", "skills.mcp"),
            f'skills.mcp: realtime.server = "{server}" does not call remote servers, '
            f'allowed is [[skills.mcp]] with {able}, or with where = "here"',
        )
    if len(config.skills.mcp) - len(remote) > MOST_HERE:
        yield Clash(
            ("skills.mcp",), f'skills.mcp: has more than {MOST_HERE} servers with where = "here"'
        )
    seen = _Seen()
    for place, entry in enumerate(config.skills.mcp, 1):
        where = f"skills.mcp[{place}]"
        yield from _label(where, entry, seen)
        yield from (_here if entry.where == "here" else _at_server)(where, entry)
        yield from _key(where, entry, seen)


@dataclass
class _Seen:
    """The labels and keys of the entries above."""

    labels: set[str] = field(default_factory=set)
    holders: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By key: the first server, and its host."""


def _label(where: str, entry: McpServerConfig, seen: _Seen) -> Iterator[Clash]:
    too_long = entry.where == "here" and len(entry.label) > LONGEST_LABEL_HERE
    if not _LABEL.fullmatch(entry.label) or entry.label in seen.labels or too_long:
        most = f", at most {LONGEST_LABEL_HERE} of them" if too_long else ""
        yield Clash(
            (f"{where}.label",),
            f"{where}.label: {shown(entry.label)} is not allowed, allowed is a unique name "
            f"of letters, digits, _ and -{most}",
        )
    elif entry.where == "here" and (near := _near(entry.label, seen.labels)):
        yield Clash(
            (f"{where}.label",),
            f"{where}.label: {shown(entry.label)} and {shown(near)} would give two functions the "
            "same name, allowed is a label that does not begin with the other and _",
        )
    seen.labels.add(entry.label)


def _near(label: str, others: Iterable[str]) -> str:
    """A label of `others` that makes ``a_b`` + ``c`` and ``a`` + ``b_c`` one name; "" for none."""
    close = (o for o in others if label.startswith(f"{o}_") or o.startswith(f"{label}_"))
    return next(close, "")


def _at_server(where: str, entry: McpServerConfig) -> Iterator[Clash]:
    """A server that the realtime server calls."""
    if not _REMOTE.fullmatch(entry.server_url):
        yield Clash(
            (f"{where}.server_url",),
            f"{where}.server_url: is not a plain https address, allowed is https://host/path as "
            "the realtime server reaches it, without a password or ?...; a key is named by "
            f"{where}.key",
        )
    given = {
        "url": entry.url, "command": entry.command, "ask": entry.ask,
        "never_ask": entry.never_ask, "key_variable": entry.key_variable,
    }  # fmt: skip
    for name in (name for name, value in given.items() if value):
        yield Clash(
            (f"{where}.{name}", f"{where}.where"),
            f'{where}.{name}: needs where = "here": Parley itself calls the server then',
        )


def _here(where: str, entry: McpServerConfig) -> Iterator[Clash]:
    """A server that Parley calls."""
    if entry.server_url:
        yield Clash(
            (f"{where}.server_url", f"{where}.where"),
            f'{where}.server_url: is for where = "server", allowed is url or command',
        )
    if bool(entry.url) == bool(entry.command):
        yield Clash(
            (f"{where}.url", f"{where}.command"),
            f'{where}.url: where = "here" needs either url or command',
        )
    if entry.url and not _LOCAL.fullmatch(entry.url):
        yield Clash(
            (f"{where}.url",),
            f"{where}.url: is not a plain address, allowed is http://host:port/path or "
            f"https://..., without a password or ?...; a key is named by {where}.key",
        )
    if entry.command and (not entry.command[0] or any("\0" in part for part in entry.command)):
        yield Clash(
            (f"{where}.command",),
            f"{where}.command: names no program, allowed is a list such as "
            '["/usr/local/bin/weather-mcp", "--stdio"]',
        )
    if not entry.allowed_tools and not is_home_assistant(entry):
        yield Clash(
            (f"{where}.allowed_tools", f"{where}.url"),
            f"{where}.allowed_tools: is missing, allowed is a list of the functions that the model "
            "may call; only Home Assistant's own server (/api/mcp) may do without",
        )
    yield from _asking(where, entry)


def _asking(where: str, entry: McpServerConfig) -> Iterator[Clash]:
    """The lists of the functions that need a yes, or none: a wrong name would need none."""
    both = sorted(set(entry.ask) & set(entry.never_ask))
    if both:
        yield Clash(
            (f"{where}.ask", f"{where}.never_ask"),
            f"{where}.never_ask: {shown(both[0])} is in {where}.ask, too",
        )
    for name in ("ask", "never_ask"):
        unknown = [tool for tool in getattr(entry, name) if tool not in entry.allowed_tools]
        if unknown and entry.allowed_tools:
            yield Clash(
                (f"{where}.{name}", f"{where}.allowed_tools"),
                f"{where}.{name}: {shown(unknown[0])} is not in {where}.allowed_tools",
            )


def _key(where: str, entry: McpServerConfig, seen: _Seen) -> Iterator[Clash]:
    """The name of the key, and the way on which it is sent."""
    if entry.key and not _SECRET.fullmatch(entry.key):
        yield Clash(
            (f"{where}.key",),
            f"{where}.key: is not a name, allowed is the name of the key, which ends in _KEY "
            "(HOME_MCP_KEY), never the key itself",
        )
    elif entry.key in _KEYS_OF_OTHERS:
        yield Clash(
            (f"{where}.key",),
            f"{where}.key: {entry.key} is only sent to {_KEYS_OF_OTHERS[entry.key]}, "
            "allowed is another name (HOME_MCP_KEY)",
        )
    elif entry.key:
        host = _holder(entry)
        holder, its_host = seen.holders.setdefault(entry.key, (where, host))
        if host != its_host:
            yield Clash(
                (f"{where}.key", f"{where}.server_url", f"{holder}.server_url"),
                f"{where}.key: {entry.key} is the key of {holder}, which is another host, "
                "allowed is another name",
            )
    for name in ("key_header", "key_variable"):
        if getattr(entry, name) and not entry.key:
            yield Clash(
                (f"{where}.key", f"{where}.{name}"),
                f"{where}.key: is missing, {where}.{name} needs it",
            )
    yield from _way_of_key(where, entry)


def _way_of_key(where: str, entry: McpServerConfig) -> Iterator[Clash]:
    if entry.key_header and (flaw := header_flaw(entry.key_header)):
        yield Clash((f"{where}.key_header",), f"{where}.key_header: {flaw}")
    if entry.key_header and entry.command:
        yield Clash(
            (f"{where}.key_header", f"{where}.command"),
            f"{where}.key_header: a command gets its key in a variable: {where}.key_variable",
        )
    if entry.key_variable and (entry.url or not _is_variable(entry.key_variable)):
        yield Clash(
            (f"{where}.key_variable", f"{where}.url"),
            f"{where}.key_variable: is not allowed, allowed is the name of a variable for command, "
            "such as API_TOKEN",
        )
    if entry.key and entry.url.startswith("http:") and not hosts.in_house(hosts.host(entry.url)):
        yield Clash(
            (f"{where}.url", f"{where}.key"),
            f"{where}.url: would send the key in clear text out of the house, allowed is "
            "https://..., or a server in the house: a private address, a name without a dot "
            "or in .local",
        )


def _is_variable(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name)) and not _VARIABLES_OF_OTHERS.fullmatch(name)


def _holder(entry: McpServerConfig) -> str:
    """The one who gets the key: a host, or a command."""
    if entry.command:
        return f"{entry.label}, a command"
    address = entry.url or entry.server_url
    form = _LOCAL if entry.url else _REMOTE
    return urlsplit(address).netloc if form.fullmatch(address) else ""
