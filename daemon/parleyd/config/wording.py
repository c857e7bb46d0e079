"""The words of `ConfigError` for wrong values and unknown names."""

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from parleyd.config.hosts import without_secrets
from parleyd.config.schema import McpServerConfig, RealtimeConfig, SkillsConfig
from parleyd.printable import shown

MCP = typing.get_type_hints(SkillsConfig, include_extras=True)["mcp"]
_HEADERS = typing.get_type_hints(RealtimeConfig, include_extras=True)["headers"]
_COMMAND = typing.get_type_hints(McpServerConfig, include_extras=True)["command"]
_MCP_URL = typing.get_type_hints(McpServerConfig, include_extras=True)["url"]
_URL = typing.get_type_hints(RealtimeConfig, include_extras=True)["url"]


def not_allowed(where: str, hint: Any, value: Any) -> str:
    """The problem with a value that its type refuses."""
    return f"{where}: {_told(hint, value)} is not allowed, allowed is {allowed(hint)}"


def not_plain(where: str, hint: Any, value: Any, character: str) -> str:
    """The problem with a text that holds this control character."""
    return (
        f"{where}: {_told(hint, value)} is not allowed: it holds the control "
        f"character {character!r}, allowed is plain text"
    )


def key_in_file(where: str) -> str:
    """The problem with a server's key in the file, under any name."""
    return (
        f"{where}: a key must not be in the file, allowed is a file in /etc/parley or an "
        "environment variable, see daemon/docs/servers.md"
    )


def unknown(where: str, hint: str, known: Iterable[str]) -> str:
    """The problem with a name that is not `known`; `hint` is a known name, a text, or ""."""
    if hint in known:
        hint = f"did you mean {hint}?"
    return f"{where}: is unknown, {hint or 'allowed are ' + ', '.join(sorted(known))}"


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that is most similar; "" if none is."""
    return next(iter(difflib.get_close_matches(name[:100], known, n=1)), "")


def allowed(hint: Any) -> str:
    """The values that the type of a key allows, in words."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(hint))
    if origin is Annotated:
        base, meta = typing.get_args(hint)[:2]
        if meta.description is not None:
            return str(meta.description)
        if meta.ge is not None:
            return f"{allowed(base)} from {meta.ge} to {meta.le}"
        if meta.max_length is not None:
            least = meta.min_length or 0
            return f"{allowed(base)} with {least} to {meta.max_length} entries"
    if origin is tuple:
        (entry, _) = typing.get_args(hint)
        return "a list of strings" if entry is str else "a table for each, [[skills.mcp]]"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(allowed(a) for a in typing.get_args(hint) if a is not type(None))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(hint, "a table of texts")


def _told(hint: Any, value: Any) -> str:
    """The value as text; a value that may hold a key is hidden or shortened."""
    if hint in (MCP, _HEADERS, _COMMAND):
        return "this value"
    if hint in (_URL, _MCP_URL):
        return without_secrets(value) if isinstance(value, str) else "this value"
    return shown(value)
