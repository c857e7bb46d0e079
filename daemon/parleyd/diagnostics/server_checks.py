"""The checks of `parley doctor` for the realtime server: keys, their files, and the proxy."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd import config
from parleyd.config.servers import OPENAI, profile
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.remedies import quoted
from parleyd.errors import ConfigError
from parleyd.realtime import proxies

CREDENTIALS = Path("/etc/parley")  # the unit's LoadCredential= reads the keys here
WAKE_KEY = "PICOVOICE_ACCESS_KEY"


def secret(name: str, environ: Mapping[str, str], folder: Path = CREDENTIALS) -> str | None:
    """Return the key as the service would read it; as root, also from its credentials' folder.

    Returns None also for a malformed key, which `keys` reports.
    """
    return _look(name, environ, folder)[0]


def with_keys(
    settings: config.Config, environ: Mapping[str, str], folder: Path = CREDENTIALS
) -> dict[str, str]:
    """`environ` with the keys of the MCP servers that this user can read."""
    names = {server.key for server in settings.skills.mcp if server.key}
    found = {name: secret(name, environ, folder) for name in names}
    return {**environ, **{name: key for name, key in found.items() if key is not None}}


def keys(
    settings: config.Config, environ: Mapping[str, str], folder: Path = CREDENTIALS
) -> Iterator[Finding]:
    """Check that the keys for the configuration are present and private."""
    yield from _server_key(settings, environ, folder)
    for mcp in settings.skills.mcp:
        found, problem = _look(mcp.key, environ, folder) if mcp.key else ("", "")
        put = _put(mcp.key, folder)
        if problem:
            yield Finding("key", Severity.FAIL, problem, put)
        elif found is None and not _encrypted(mcp.key, folder):
            text = f"skills.mcp, {mcp.label}: needs {mcp.key}, which is missing"
            yield Finding("key", Severity.FAIL, text, put)
    if problem := _look(WAKE_KEY, environ, folder)[1]:
        yield Finding("key", Severity.FAIL, problem, _put(WAKE_KEY, folder))
    yield from _files(folder)


def proxy(settings: config.Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check the proxy between this device and the realtime server, if any."""
    realtime = settings.realtime
    server = profile(realtime.server)
    url = realtime.url or server.url
    if not url or realtime.server == "embedded":
        return
    through = proxies.proxy_for(url, environ)
    if through is None:
        return
    shown = proxies.shown(through)
    if flaw := proxies.flaw(through):
        remedy = "correct http_proxy, https_proxy or all_proxy, or name the server in no_proxy"
        if proxies.SOCKS_PACKAGE in flaw:
            remedy = f"{sys.executable} -m pip install {proxies.SOCKS_PACKAGE}"
        yield Finding("proxy", Severity.FAIL, f"{shown} cannot be used: {flaw}", remedy)
    else:
        yield Finding("proxy", Severity.OK, f"connects to the server through {shown} (not tried)")


def _server_key(
    settings: config.Config, environ: Mapping[str, str], folder: Path
) -> Iterator[Finding]:
    server = settings.realtime.server
    if server == "embedded":
        yield Finding("key", Severity.OK, 'realtime.server = "embedded" needs no key')
        return
    needed = OPENAI if server == "auto" else profile(server)
    found, problem = _look(needed.key, environ, folder)
    put = _put(needed.key, folder)
    if problem:
        yield Finding("key", Severity.FAIL, problem, put)
    elif found is not None or _encrypted(needed.key, folder):
        yield Finding("key", Severity.OK, f"{needed.key} is present (not shown, not tried)")
    elif closed := _closed(needed.key, folder):
        text = f"{closed} is not readable by this user, so the key cannot be checked"
        remedy = f"sudo {quoted(Path(sys.executable))} -m parleyd doctor"
        yield Finding("key", Severity.WARN, text, remedy)
    elif server == "auto":
        text = f"no {needed.key}: Parley uses the embedded server, which knows only commands"
        yield Finding("key", Severity.WARN, text, put)
    elif needed.needs_key:
        text = f'realtime.server = "{server}" needs {needed.key}, which is missing'
        yield Finding("key", Severity.FAIL, text, put)
    else:
        yield Finding("key", Severity.OK, f'realtime.server = "{server}" needs no key')


def _files(folder: Path) -> Iterator[Finding]:
    """Find key files that other users can read, that are empty, or that have a wrong name."""
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK) else []:
        name = path.name.lower()
        if not name.removesuffix(".txt").endswith("_key"):
            continue
        wanted = name.removesuffix(".txt")
        try:
            status = path.stat()
        except OSError as error:
            yield Finding("key", Severity.WARN, f"{path}: {error.strerror}", "")
            continue
        if path.is_symlink():
            text = f"{path} is a link: its target does not belong to Parley"
            yield Finding("key", Severity.WARN, text, f"put the key itself into {path}")
        elif not stat.S_ISREG(status.st_mode):
            text = f"{path} is ignored: it is not a file"
            yield Finding("key", Severity.WARN, text, f"put the key into a file {folder}/NAME_key")
        elif path.name != wanted:
            text = f"{path} is ignored: the key's file must be named {wanted}"
            yield Finding(
                "key", Severity.WARN, text, f"sudo mv -nT {quoted(path)} {quoted(folder / wanted)}"
            )
        elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            remedy = f"sudo chmod 600 {quoted(path)}"
            yield Finding("key", Severity.FAIL, f"other users can read {path}", remedy)
        elif status.st_size == 0:
            yield Finding("key", Severity.WARN, f"{path} is empty", _put(wanted.upper(), folder))


def _look(name: str, environ: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    """Return the key, and the flaw in its form or ""."""
    try:
        found = config.secret(name, environ)
        return found or config.secret(name, {"CREDENTIALS_DIRECTORY": str(folder)}), ""
    except ConfigError as error:
        return None, error.problems[0]


def _put(name: str, folder: Path) -> str:
    return f"put the key into {folder}/{name.lower()}, see systemd/README.md"


def _encrypted(name: str, folder: Path) -> bool:
    return (folder / f"{name.lower()}.cred").exists()


def _closed(name: str, folder: Path) -> str:
    """Return the key's file if it exists and this user cannot read it, else ""."""
    path = folder / name.lower()
    try:
        return str(path) if path.exists() and not os.access(path, os.R_OK) else ""
    except OSError:
        return str(path)
