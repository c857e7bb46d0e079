"""What `parley doctor` looks at before the realtime server: keys, their files, and the proxy."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd import config
from parleyd.config.servers import OPENAI, profile
from parleyd.diagnostics.findings import Finding, Level
from parleyd.diagnostics.remedies import quoted
from parleyd.errors import ConfigError
from parleyd.realtime import proxies

CREDENTIALS = Path("/etc/parley")  # where the unit's LoadCredential= finds the keys
WAKE_KEY = "PICOVOICE_ACCESS_KEY"


def secret(name: str, environ: Mapping[str, str], folder: Path = CREDENTIALS) -> str | None:
    """The key as the service would get it; as root also from where its credentials lie.

    None also for one that is not in the form of a key: `keys` reports it.
    """
    return _look(name, environ, folder)[0]


def keys(
    settings: config.Config, environ: Mapping[str, str], folder: Path = CREDENTIALS
) -> Iterator[Finding]:
    """Whether the keys that the configuration needs are there and private."""
    yield from _server_key(settings, environ, folder)
    for mcp in settings.skills.mcp:
        found, problem = _look(mcp.key, environ, folder) if mcp.key else ("", "")
        put = _put(mcp.key, folder)
        if problem:
            yield Finding("key", Level.FAIL, problem, put)
        elif found is None and not _encrypted(mcp.key, folder):
            text = f"skills.mcp, {mcp.label}: needs {mcp.key}, there is none"
            yield Finding("key", Level.FAIL, text, put)
    if problem := _look(WAKE_KEY, environ, folder)[1]:
        yield Finding("key", Level.FAIL, problem, _put(WAKE_KEY, folder))
    yield from _files(folder)


def proxy(settings: config.Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The proxy between this device and the realtime server, if there is one."""
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
        yield Finding("proxy", Level.FAIL, f"{shown} cannot be used: {flaw}", remedy)
    else:
        yield Finding("proxy", Level.OK, f"the server is reached through {shown} (not tried)")


def _server_key(
    settings: config.Config, environ: Mapping[str, str], folder: Path
) -> Iterator[Finding]:
    server = settings.realtime.server
    if server == "embedded":
        yield Finding("key", Level.OK, 'realtime.server = "embedded" needs none')
        return
    needed = OPENAI if server == "auto" else profile(server)
    found, problem = _look(needed.key, environ, folder)
    put = _put(needed.key, folder)
    if problem:
        yield Finding("key", Level.FAIL, problem, put)
    elif found is not None or _encrypted(needed.key, folder):
        yield Finding("key", Level.OK, f"{needed.key} is present (not shown, not tried)")
    elif closed := _closed(needed.key, folder):
        text = f"{closed} cannot be read by this user, so whether there is a key is not known"
        remedy = f"sudo {quoted(Path(sys.executable))} -m parleyd doctor"
        yield Finding("key", Level.WARN, text, remedy)
    elif server == "auto":
        text = f"no {needed.key}: the embedded server is used, which knows commands only"
        yield Finding("key", Level.WARN, text, put)
    elif needed.needs_key:
        text = f'realtime.server = "{server}" needs {needed.key}, there is none'
        yield Finding("key", Level.FAIL, text, put)
    else:
        yield Finding("key", Level.OK, f'realtime.server = "{server}" needs none')


def _files(folder: Path) -> Iterator[Finding]:
    """Files that others can read, that are empty, or whose name is not looked for."""
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK) else []:
        name = path.name.lower()
        if not name.removesuffix(".txt").endswith("_key"):
            continue
        wanted = name.removesuffix(".txt")
        try:
            status = path.stat()
        except OSError as error:
            yield Finding("key", Level.WARN, f"{path}: {error.strerror}", "")
            continue
        if path.is_symlink():
            text = f"{path} is a link: what it leads to is not Parley's"
            yield Finding("key", Level.WARN, text, f"put the key itself into {path}")
        elif not stat.S_ISREG(status.st_mode):
            text = f"{path} is not a file, and is not looked at"
            yield Finding("key", Level.WARN, text, f"put the key into a file {folder}/NAME_key")
        elif path.name != wanted:
            text = f"{path} is not looked at: a key's file is named {wanted}"
            yield Finding(
                "key", Level.WARN, text, f"sudo mv -nT {quoted(path)} {quoted(folder / wanted)}"
            )
        elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            remedy = f"sudo chmod 600 {quoted(path)}"
            yield Finding("key", Level.FAIL, f"others can read {path}", remedy)
        elif status.st_size == 0:
            yield Finding("key", Level.WARN, f"{path} is empty", _put(wanted.upper(), folder))


def _look(name: str, environ: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    """The key, and the flaw in its form."""
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
    """The key's file, if it is there and this user cannot read it."""
    path = folder / name.lower()
    try:
        return str(path) if path.exists() and not os.access(path, os.R_OK) else ""
    except OSError:
        return str(path)
