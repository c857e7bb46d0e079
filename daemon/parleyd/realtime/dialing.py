"""Opens a WebSocket to an address: directly, through a proxy, or on a Unix socket.

The key goes only to this address: redirects are not followed, and a clear-text connection goes
only to an address in the house, and never through a proxy if it carries a key.
"""

import asyncio
import base64
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import websockets.asyncio.client as client

from parleyd.config import hosts
from parleyd.realtime import proxies
from parleyd.realtime.address import ServerAddress
from parleyd.realtime.frames import PacedConnection
from parleyd.realtime.unix_address import UnixAddress

EYEBALLS_DELAY_S = 0.25  # RFC 8305: before the next address is tried in parallel
EACH_S = 3.0  # per address, if there are several, in the house or of a proxy; usually 0.1 s
LONGEST_REPLY = 16_384  # bytes of a proxy's answer to CONNECT

Infos = list[tuple[Any, Any, int, str, tuple[Any, ...]]]  # as returned by getaddrinfo


class DialError(Exception):
    """Parley itself refuses to connect; the text says why and what to do. `for_good`: only a
    change of configuration or key can help."""

    def __init__(self, text: str, *, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good


class ProxyRefused(Exception):
    """A proxy answered CONNECT with this status; None: with something else."""

    def __init__(self, status: int | None) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(slots=True)
class Way:
    """The progress of one attempt, for the description of its failure."""

    host: str
    port: int
    tls: bool = True
    proxy: str = ""
    """As returned by `proxies.shown`; "" without a proxy."""
    reached: str = "resolving"
    """`resolving`, `connecting`, `shaking hands`."""
    tried: list[str] = field(default_factory=list)
    """The addresses that were tried, if they are known."""


class MonitoredConnection(PacedConnection):
    """Records when the last byte arrived: a long message on a slow network is a sign of life."""

    heard_at = 0.0
    way: Way | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.way is not None:
            self.way.reached = "shaking hands"
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)


class _Connect(client.connect):
    """Follows no redirect, which would send the key to any host that the reply names."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(
    address: ServerAddress, environ: Mapping[str, str], way: Way, **options: Any
) -> client.connect:
    """Return the connection to enter. Looks up names and connects to proxies here.

    Records its progress in `way`. Raises `DialError`, `ProxyRefused`, `OSError`.
    """

    def create(*args: Any, **kwargs: Any) -> MonitoredConnection:
        connection = MonitoredConnection(*args, **kwargs)
        connection.way = way
        return connection

    options["create_connection"] = create
    if unix := UnixAddress.parse(address.url):
        way.reached, way.tls = "connecting", False
        return _Connect(unix.request, unix=True, path=unix.path, **options)
    if flaw := address.flaw:
        raise DialError(flaw, for_good=True)
    way.tls = not address.in_clear_text
    options["proxy"] = None
    proxy = proxies.proxy_for(address.url, environ)
    if proxy is None or (address.in_clear_text and address.carries_key):
        if address.in_clear_text:
            options["sock"] = await _inside(address, way)
        else:
            found = await _resolve(
                address.host, address.port
            )  # here, so that an unknown name is reported as such
            way.tried = [str(info[4][0]) for info in found]
            way.reached = "connecting"
            options["happy_eyeballs_delay"] = EYEBALLS_DELAY_S
        return _Connect(address.url, **options)
    way.proxy = proxies.shown(proxy)
    if flaw := proxies.flaw(proxy):
        raise DialError(f"the proxy {way.proxy} cannot be used: {flaw}")
    if proxy.startswith("http://"):
        options["sock"] = await _tunnel(proxy, address, way)
    else:
        way.reached = "connecting"
        options["proxy"] = proxy
    return _Connect(address.url, **options)


async def _inside(address: ServerAddress, way: Way) -> socket.socket:
    """A socket to a host in the house. A name outside the house gets no data."""
    found = await _resolve(address.host, address.port)
    inside = [info for info in found if hosts.in_house(str(info[4][0]))]
    if not inside:
        raise DialError(
            f"{address.host} is now {found[0][4][0]}, outside the house: nothing is sent "
            "there in clear text; set realtime.url to a wss:// or a private address"
        )
    return await _first(inside, way)


async def _tunnel(proxy: str, address: ServerAddress, way: Way) -> socket.socket:
    """A socket through an HTTP proxy. Own code, because websockets 15 accepts no HTTP/1.0 from a
    proxy (python-websockets/websockets#1609; tinyproxy uses it), and logs one that hangs up."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(proxy)
    assert parts.hostname is not None  # checked by `proxies.flaw`
    sock = await _first(await _resolve(parts.hostname, parts.port or 80), way)
    try:
        name = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"CONNECT {name}:{address.port} HTTP/1.1", f"Host: {name}:{address.port}"]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            token = base64.b64encode(pair.encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {token}")
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
        reply = b""
        while b"\r\n\r\n" not in reply and b"\n\n" not in reply and len(reply) < LONGEST_REPLY:
            data = await loop.sock_recv(sock, 4096)
            if not data:
                break
            reply += data
        status = re.match(rb"HTTP/1\.[01] (\d{3})\b", reply)
        if status is None or not status[1].startswith(b"2"):
            raise ProxyRefused(int(status[1]) if status else None)
    except BaseException:
        sock.close()
        raise
    return sock


async def _resolve(host: str, port: int) -> Infos:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _first(infos: Infos, way: Way) -> socket.socket:
    """A socket to the first address that accepts, IPv4 before IPv6. Raises the last `OSError`."""
    loop = asyncio.get_running_loop()
    way.reached = "connecting"
    ordered = sorted(infos, key=lambda info: bool(info[0] != socket.AF_INET))
    for place, (family, kind, proto, _, where) in enumerate(ordered, 1):
        way.tried.append(str(where[0]))
        sock = socket.socket(family, kind, proto)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(EACH_S if place < len(ordered) else None):
                await loop.sock_connect(sock, where)
        except (OSError, TimeoutError):
            sock.close()
            if place == len(ordered):
                raise
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise OSError(f"{way.host} has no address")
