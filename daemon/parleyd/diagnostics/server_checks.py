"""The checks of `parley doctor` for the realtime server: keys, their files, and the proxy."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from parleyd import config
from parleyd.config.key_makers import wrong_maker
from parleyd.config.servers import OPENAI, PROFILES, profile
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.remedies import quoted
from parleyd.errors import ConfigError
from parleyd.realtime import proxies
from parleyd.system.paths import INSTALLED_CONFIG

CREDENTIALS = Path("/etc/parley")  # the unit's LoadCredential= reads the keys here
WAKE_KEY = "PICOVOICE_ACCESS_KEY"


class KeySource(Protocol):
    """Where keys come from: the files of the service, or this shell."""

    def look(self, name: str) -> tuple[str | None, str]:
        """The key, and the flaw in its form or ""."""

    def troubles(self, name: str) -> Iterator[Finding]:
        """Why a key that exists does not arrive."""

    def put(self, name: str) -> str:
        """How to store a key."""

    def source(self, name: str) -> str:
        """Where the key comes from, or ""."""

    def closed(self, name: str) -> str:
        """The key's file that this user cannot read, or ""."""


class ShellKeys:
    """The keys of this process's environment; as root, also from the folder of the service."""

    def __init__(self, environ: Mapping[str, str], folder: Path = CREDENTIALS) -> None:
        self._environ = environ
        self._folder = folder

    def look(self, name: str) -> tuple[str | None, str]:
        """The key, and the flaw in its form or ""."""
        try:
            folder = {"CREDENTIALS_DIRECTORY": str(self._folder)}
            return config.secret(name, self._environ) or config.secret(name, folder), ""
        except ConfigError as error:
            return None, error.problems[0]

    def troubles(self, name: str) -> Iterator[Finding]:
        """Nothing is between this process and its environment."""
        yield from ()

    def put(self, name: str) -> str:
        """How to store a key for the service."""
        asked_for = any(server.key == name for server in PROFILES.values())
        if asked_for and (self._folder / INSTALLED_CONFIG.name).exists():
            return "sudo parley setup"
        return f"put the key into {self._folder}/{name.lower()}, see systemd/README.md"

    def source(self, name: str) -> str:
        """Nothing to say: it is here."""
        return ""

    def closed(self, name: str) -> str:
        """The key's file that this user cannot read, or ""."""
        return closed_file(self._folder / name.lower())


def secret(name: str, environ: Mapping[str, str], folder: Path = CREDENTIALS) -> str | None:
    """Return the key; as root, also from the folder of the service.

    Returns None also for a malformed key, which `keys` reports.
    """
    return ShellKeys(environ, folder).look(name)[0]


def with_keys(
    settings: config.Config, environ: Mapping[str, str], source: KeySource
) -> dict[str, str]:
    """`environ` with the keys of the MCP servers that the service gets."""
    names = {server.key for server in settings.skills.mcp if server.key}
    found = {name: source.look(name)[0] for name in names}
    return {**environ, **{name: key for name, key in found.items() if key is not None}}


def keys(
    settings: config.Config,
    environ: Mapping[str, str],
    folder: Path = CREDENTIALS,
    source: KeySource | None = None,
) -> Iterator[Finding]:
    """Check that the keys for the configuration are present and private, and reach the service."""
    source = source or ShellKeys(environ, folder)
    yield from _server_key(settings, environ, source, folder)
    for mcp in settings.skills.mcp:
        found, problem = source.look(mcp.key) if mcp.key else ("", "")
        if problem:
            yield Finding("key", Severity.FAIL, problem, source.put(mcp.key))
        elif found is None and (troubles := list(source.troubles(mcp.key))):
            yield from troubles
        elif found is None and not _encrypted(mcp.key, folder):
            text = f"skills.mcp, {mcp.label}: needs {mcp.key}, which is missing"
            yield Finding("key", Severity.FAIL, text, source.put(mcp.key))
    if problem := source.look(WAKE_KEY)[1]:
        yield Finding("key", Severity.FAIL, problem, source.put(WAKE_KEY))
    else:
        yield from source.troubles(WAKE_KEY)
    yield from _files(folder, source)


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
        yield Finding("proxy", Severity.OK, f"connects to the server through {shown}")


def _server_key(
    settings: config.Config, environ: Mapping[str, str], source: KeySource, folder: Path
) -> Iterator[Finding]:
    server = settings.realtime.server
    if server == "embedded":
        yield Finding("key", Severity.OK, 'realtime.server = "embedded" needs no key')
        return
    needed = OPENAI if server == "auto" else profile(server)
    found, problem = source.look(needed.key)
    troubles = list(source.troubles(needed.key))
    yield from troubles
    if problem:
        yield Finding("key", Severity.FAIL, problem, source.put(needed.key))
    elif troubles:
        return
    elif found is not None and (other := wrong_maker(server, found)):
        text = f"{needed.key} is not the key of this server: {other}"
        yield Finding("key", Severity.FAIL, text, source.put(needed.key))
    elif found is not None:
        where = f"{needed.key} is present (not shown)"
        if handed := source.source(needed.key):
            where = f"{needed.key} is handed to the service {handed} (not shown)"
        yield Finding("key", Severity.OK, where)
    elif closed := source.closed(needed.key):
        text = f"{closed} is not readable by this user, so the key cannot be checked"
        yield Finding("key", Severity.WARN, text, as_root())
    elif _encrypted(needed.key, folder):
        yield Finding("key", Severity.OK, f"{needed.key} is present, encrypted")
    elif server == "auto":
        here = " for the service (only this shell has it)" if environ.get(needed.key) else ""
        text = f"no {needed.key}{here}: Parley uses the embedded server, which knows only commands"
        yield Finding("key", Severity.WARN, text, source.put(needed.key))
    elif needed.needs_key:
        here = ", because only this shell has it" if environ.get(needed.key) else ""
        text = f'realtime.server = "{server}" needs {needed.key}, which is missing{here}'
        yield Finding("key", Severity.FAIL, text, source.put(needed.key))
    else:
        yield Finding("key", Severity.OK, f'realtime.server = "{server}" needs no key')


def _files(folder: Path, source: KeySource) -> Iterator[Finding]:
    """Find key files that other users can read, that are empty, or that have a wrong name."""
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK) else []:
        name = path.name.lower()
        if not name.removesuffix(".txt").endswith("_key"):
            continue
        wanted = name.removesuffix(".txt")
        try:
            status = path.stat()
        except OSError as error:
            remedy = f"remove it, or replace it with a file: ls -l {quoted(path)}"
            yield Finding("key", Severity.WARN, f"{path}: {error.strerror}", remedy)
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
            yield Finding("key", Severity.WARN, f"{path} is empty", source.put(wanted.upper()))


def _encrypted(name: str, folder: Path) -> bool:
    return (folder / f"{name.lower()}.cred").exists()


def closed_file(path: Path) -> str:
    """The path, or that of its encrypted form, if it exists and this user cannot read it; or ""."""
    for place in (path, path.with_suffix(".cred")):
        try:
            if place.exists() and not os.access(place, os.R_OK):
                return str(place)
        except OSError:
            return str(place)
    return ""


def as_root() -> str:
    """The command that repeats this as root; the short one if it starts this installation."""
    found, own = shutil.which("parley"), Path(sys.prefix) / "bin" / "parley"
    if found and Path(found).resolve() == own.resolve():
        return "sudo parley doctor"
    return f"sudo {quoted(Path(sys.executable))} -m parleyd doctor"
