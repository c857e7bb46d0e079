"""Selects the proxy for an address, by the usual environment variables.

`NAME_proxy` and `NAME_PROXY` (lower case takes precedence), as in curl and Python's urllib. A
server on this device is never reached through a proxy: no other machine could reach it, and one
that did would receive the microphone. Neither is one that gets a key in clear text: see `dialing`.
"""

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from parleyd.config import hosts

SOCKS_PACKAGE = "python-socks"
SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")

# RFC 6455, 4.1: SOCKS before HTTPS before HTTP. The variable of the address's own scheme is first.
_ORDER = {
    "wss": ("wss", "socks", "https", "all"),
    "ws": ("ws", "socks", "https", "http", "all"),
}


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's address, including user and password (never log it: `shown`), or None."""
    parts = urlsplit(url)
    name = hosts.host(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    proxies = _of_environment(environ)
    if hosts.is_loopback(name) or _bypassed(name, port, proxies.get("no", "")):
        return None
    for kind in _ORDER[parts.scheme]:
        if proxies.get(kind):
            return _complete(proxies[kind], kind)
    return None


def flaw(proxy: str) -> str:
    """Why a proxy cannot be used; "" if it can. Contains no password."""
    try:
        parts = urlsplit(proxy)
        name, port = parts.hostname, parts.port
    except ValueError:
        return "its address cannot be read: write http://host:port"
    if parts.scheme not in SCHEMES:
        return f"its scheme is unknown: use one of {', '.join(SCHEMES)}"
    if not name or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        return "its address cannot be read: write http://host:port"
    if parts.scheme.startswith("socks") and find_spec("python_socks") is None:
        return f"a SOCKS proxy needs the Python package {SOCKS_PACKAGE}, which is not installed"
    return ""


def shown(proxy: str) -> str:
    """The proxy for a message: without user, password and control characters."""
    bare = re.sub(r"//.*@", "//", proxy, flags=re.DOTALL)
    return bare if bare.isascii() and bare.isprintable() and len(bare) <= 80 else repr(bare[:80])


def _of_environment(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for upper in (True, False):
        for name, value in environ.items():
            kind, _, ending = name.lower().rpartition("_")
            if kind and ending == "proxy" and (name.islower() is not upper):
                found[kind] = value.strip()
    return found


def _bypassed(name: str, port: int, listed: str) -> bool:
    """`no_proxy`: names and their subdomains, "*", host:port, addresses, and networks (CIDR)."""
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        address = None
    for entry in listed.lower().replace(",", " ").split():
        if entry == "*":
            return True
        if address is not None:
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(entry.strip("[]"), strict=False):
                    return True
        domain, _, number = entry.rpartition(":")
        if not number.isdigit() or (":" in domain and not domain.endswith("]")):
            domain, number = entry, str(port)
        domain = domain.strip("[]").removeprefix("*").removeprefix(".").removesuffix(".")
        if domain and number == str(port) and hosts.belongs_to(name, (domain,)):
            return True
    return False


def _complete(proxy: str, kind: str) -> str:
    """In the form for the WebSocket library: with a scheme, and an unquoted user and password."""
    if "://" not in proxy:
        proxy = f"{'socks5h' if kind == 'socks' else 'http'}://{proxy}"
    scheme, rest = proxy.split("://", 1)
    scheme = scheme.lower()
    if scheme == "socks" or (kind == "socks" and scheme == "http"):
        scheme = "socks5h"  # desktops write this for one, and Python uses it
    user, at, place = rest.rpartition("@")
    if at and ":" not in user:
        user += ":"  # the library requires a password, even an empty one
    if at and not re.search(r"[/?#\[\]\\\s]", unquote(user)) and unquote(user).isascii():
        user = unquote(user)  # the library sends them unchanged
    return f"{scheme}://{user}{at}{place}"
